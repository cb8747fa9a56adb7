"""Evaluates the Terraform module on standard input with the modules that it calls, by tfparse, without a
provider, and prints the resources as JSON. TOP in the module is replaced by the top of the repository."""

import json
import os
import sys
import tempfile

import tfparse

top = os.path.abspath(os.path.join(os.path.dirname(__file__), "../.."))
with tempfile.TemporaryDirectory() as folder:
    with open(f"{folder}/main.tf", "w", encoding="utf-8") as file:
        file.write(sys.stdin.read().replace("TOP", os.path.relpath(top, folder)))
    json.dump(tfparse.load_from_path(folder, stop_on_hcl_error=True), sys.stdout)

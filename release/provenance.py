"""Prints the provenance of a release: an in-toto statement with SLSA's predicate, version 1, about the
files that it is given. It is not signed; sign it where your keys are.

    release/provenance.py FILE...

The environment has what the build used: REVISION, SOURCE_DATE_EPOCH, TARGETS.
"""

import hashlib
import json
import os
import subprocess
import sys
from datetime import datetime, timezone

REPOSITORY = "git+https://github.com/aws-root-exporter/aws-root-exporter"


def sha256(path):
    with open(path, "rb") as file:
        return {"sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def first_line(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[0]


revision = os.environ["REVISION"]
# The time of the commit, so that the statement is the same in every build of it.
time = datetime.fromtimestamp(int(os.environ["SOURCE_DATE_EPOCH"]), timezone.utc).isoformat()
statement = {
    "_type": "https://in-toto.io/Statement/v1",
    "subject": [{"name": os.path.basename(path), "digest": sha256(path)} for path in sys.argv[1:]],
    "predicateType": "https://slsa.dev/provenance/v1",
    "predicate": {
        "buildDefinition": {
            "buildType": f"{REPOSITORY}/blob/main/RELEASING.md",
            "externalParameters": {"source": f"{REPOSITORY}@{revision}", "command": "make dist"},
            "internalParameters": {
                "targets": os.environ["TARGETS"].split(),
                "rustc": first_line("rustc", "--version"),
                "cargo": first_line("cargo", "--version"),
            },
            "resolvedDependencies": [
                {"uri": f"{REPOSITORY}@{revision}", "digest": {"gitCommit": revision}},
                {"uri": "Cargo.lock", "digest": sha256("Cargo.lock")},
                # Of this machine; the image has them.
                {
                    "uri": "file:///etc/ssl/certs/ca-certificates.crt",
                    "digest": sha256("/etc/ssl/certs/ca-certificates.crt"),
                },
            ],
        },
        "runDetails": {
            "builder": {"id": f"{REPOSITORY}/blob/main/release/build.sh"},
            "metadata": {"invocationId": revision, "finishedOn": time},
        },
    },
}
json.dump(statement, sys.stdout, indent=2)
print()

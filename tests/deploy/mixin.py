"""Evaluates the jsonnet on standard input with both implementations of jsonnet, and prints the result.

Imports are searched for in the top of the repository.
"""

import os
import sys

import _gojsonnet
import _jsonnet

top = os.path.abspath(os.path.join(os.path.dirname(__file__), "../.."))
snippet = sys.stdin.read()
results = [
    engine.evaluate_snippet("stdin", snippet, jpathdir=[top]) for engine in (_jsonnet, _gojsonnet)
]
if results[0] != results[1]:
    sys.exit("the two implementations disagree")
print(results[0])

"""The part of `make bench` that runs boto3: gets account summaries for some seconds, as scripts do.

usage: peer_boto3.py URL shared|each SECONDS
"""

import json
import resource
import sys
import time

import boto3

url, how, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
CREDENTIALS = {"aws_access_key_id": "AKIAIOSFODNN7EXAMPLE", "aws_secret_access_key": "none", "region_name": "us-east-1"}


def client():
    return boto3.Session(**CREDENTIALS).client("iam", endpoint_url=url)


def cpu():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


shared = client()
shared.get_account_summary()
clients = []
calls, before, end = 0, cpu(), time.monotonic() + seconds
while time.monotonic() < end:
    current = shared
    if how == "each":
        current = client()
        clients.append(current)
    current.get_account_summary()
    calls += 1
print(json.dumps({
    "calls_a_core_second": calls / (cpu() - before),
    "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
}))

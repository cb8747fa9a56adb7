"""Reads an OpenMetrics body with the strict parser of Python's prometheus_client.

Usage: openmetrics_check.py [--gzip] FILE

Prints one line, `N families, M samples`, then each family's name on a line of its own. Fails,
and says why, on what the parser refuses, on a family or a series that stands there twice, and
with --gzip on a body that is not exactly one gzip member (some clients read only the first).
"""

import argparse
import sys
import zlib
from pathlib import Path

from prometheus_client.openmetrics.parser import text_string_to_metric_families


def one_member(body):
    decoder = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    text = decoder.decompress(body) + decoder.flush()
    if not decoder.eof:
        sys.exit("the gzip member is cut short")
    if decoder.unused_data:
        sys.exit(f"{len(decoder.unused_data)} bytes follow the first gzip member")
    return text


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--gzip", action="store_true")
    parser.add_argument("file", type=Path)
    arguments = parser.parse_args()

    body = arguments.file.read_bytes()
    text = (one_member(body) if arguments.gzip else body).decode("utf-8")

    # The parser passes over a sample that repeats the one before it, so lines are counted too.
    lines = sum(1 for line in text.split("\n") if line and not line.startswith("#"))
    families, series = set(), set()
    for family in text_string_to_metric_families(text):
        if family.name in families:
            sys.exit(f"family {family.name} stands there twice")
        families.add(family.name)
        for sample in family.samples:
            key = (sample.name, tuple(sorted(sample.labels.items())))
            if key in series:
                sys.exit(f"series {key} stands there twice")
            series.add(key)
    if lines != len(series):
        sys.exit(f"{lines} sample lines, but {len(series)} series: some stand there twice")

    print(f"{len(families)} families, {len(series)} samples")
    print("\n".join(sorted(families)))


if __name__ == "__main__":
    main()

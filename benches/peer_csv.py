"""The part of `make bench` that runs Python's csv module: microseconds to read a report into dictionaries.

usage: peer_csv.py FILE
"""

import csv
import io
import pathlib
import sys
import timeit

text = pathlib.Path(sys.argv[1]).read_text()


def read():
    return list(csv.DictReader(io.StringIO(text)))


timer = timeit.Timer(read)
number, _ = timer.autorange()
print(min(timer.repeat(5, number)) / number * 1e6)

"""The part of `make bench` that runs prometheus_client: an exporter in Python with the same series.

usage: peer_collector.py PORT FILE
"""

import pathlib
import sys
import threading

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.parser import text_string_to_metric_families


class Series:
    """The metric families of an exposition, as an exporter in Python would hold them."""

    def __init__(self, text):
        self.families = list(text_string_to_metric_families(text))

    def collect(self):
        return self.families


registry = CollectorRegistry()
registry.register(Series(pathlib.Path(sys.argv[2]).read_text()))
start_http_server(int(sys.argv[1]), addr="127.0.0.1", registry=registry)
threading.Event().wait()

"""Measures the time from a root key to a page, and from the key's deletion to the end of the page.

The parts are real, except AWS, which is the simulator, and the pager, which is a webhook: the exporter,
Prometheus with the rules of deploy/, Alertmanager with its routes. Ten accounts get a key, each at a
random time within one interval, so that ten measurements take no longer than one. Run it by
`make bench-page`; docs/performance.md has a result.
"""

import argparse
import http.server
import json
import pathlib
import random
import re
import statistics
import subprocess
import tempfile
import threading
import time

from peers import RELEASE, ROOT, Daemon, Process, fetch, free_port, until

ALERT = "AWSRootAccessKeyActive"


class Webhook(http.server.ThreadingHTTPServer):
    """Records when each account's page began and ended."""

    def __init__(self):
        self.notified = {}

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(handler):
                at = time.monotonic()
                notification = json.loads(handler.rfile.read(int(handler.headers["Content-Length"])))
                for alert in notification["alerts"]:
                    if alert["labels"]["alertname"] == ALERT:
                        self.notified.setdefault((alert["status"], alert["labels"]["account"]), at)
                handler.send_response(200)
                handler.end_headers()

            def log_message(self, *_):
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()


def alertmanager(folder, webhook):
    """Starts Alertmanager with the example configuration, with the webhook as every receiver."""
    example = (ROOT / "deploy/alertmanager/alertmanager.yml").read_text()
    routes, receivers = example.split("\nreceivers:\n")
    hook = f"    webhook_configs: [{{url: 'http://127.0.0.1:{webhook.server_address[1]}/'}}]\n"
    names = re.findall(r"^  - name: .*$", receivers, re.M)
    config = folder / "alertmanager.yml"
    config.write_text(routes + "\nreceivers:\n" + "".join(f"{name}\n{hook}" for name in names))
    port = free_port()
    return port, Process("prometheus-alertmanager", f"--config.file={config}", f"--storage.path={folder}/alerts",
                         f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address=", "--log.level=error")


def prometheus(folder, step, daemon, alerts):
    config = folder / "prometheus.yml"
    rules = ROOT / "deploy/prometheus"
    config.write_text(
        f"global: {{scrape_interval: {step}s, scrape_timeout: {min(step, 10)}s, evaluation_interval: {step}s}}\n"
        f"rule_files: ['{rules}/aws-root-exporter.rules.yml', '{rules}/aws-iam-users.rules.yml']\n"
        f"alerting: {{alertmanagers: [{{static_configs: [{{targets: ['127.0.0.1:{alerts}']}}]}}]}}\n"
        "scrape_configs:\n  - job_name: aws-root-exporter\n"
        f"    static_configs: [{{targets: ['127.0.0.1:{daemon.port}']}}]\n")
    port = free_port()
    process = Process("prometheus", f"--config.file={config}", f"--storage.tsdb.path={folder}/data",
                      f"--web.listen-address=127.0.0.1:{port}", "--log.level=error")
    return port, process


def happen(aws, what, accounts, over):
    """Sends an order to the simulator for each account at a random time; returns when it was done."""
    times = sorted((random.uniform(0, over), account) for account in accounts)
    start, happened = time.monotonic(), {}
    for wait, account in times:
        time.sleep(max(0.0, start + wait - time.monotonic()))
        happened[account] = time.monotonic()
        aws.stdin.write(f"{what} {account}\n")
        aws.stdin.flush()
        assert aws.stdout.readline().startswith("done")
    return happened


def measure(interval, step, rounds):
    """The seconds to each page and to the end of each page."""
    webhook = Webhook()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        # Some of the generated accounts already have a key, and the first is the caller's own.
        with Process(RELEASE / "examples/simulator", "--accounts", rounds * 4, stdin=subprocess.PIPE,
                     stdout=subprocess.PIPE, text=True) as simulator:
            aws = simulator.child
            url, ids = aws.stdout.readline().strip(), aws.stdout.readline().split()
            with Daemon(folder, url, f'[refresh]\ninterval = "{interval}s"\n', folder / "state.redb") as daemon:
                daemon.settle(2)
                text = daemon.metrics()
                clean = [a for a in ids if f'aws_root_access_keys_present{{account="{a}"}} 0' in text][:rounds]
                alerts, first = alertmanager(folder, webhook)
                with first:
                    port, second = prometheus(folder, step, daemon, alerts)
                    with second:
                        def known():
                            query = "/api/v1/query?query=count(aws_root_access_keys_active)"
                            return json.loads(fetch(f"http://127.0.0.1:{port}{query}"))["data"]["result"]

                        until("the first scrape", known)
                        spread = max(interval, 2 * step)
                        times = []
                        for what, status in (("create-key", "firing"), ("delete-keys", "resolved")):
                            happened = happen(aws, what, clean, spread)
                            until(f"each account {status}",
                                  lambda: all((status, a) in webhook.notified for a in clean), bound=900)
                            times.append(sorted(webhook.notified[status, a] - happened[a] for a in clean))
                            time.sleep(spread)
    webhook.shutdown()
    return times


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    arguments = parser.parse_args()
    print("| poll | scrape and evaluation | from | median | slowest of "
          f"{arguments.rounds} |\n| --- | --- | --- | --- | --- |", flush=True)
    for interval, step in ((2, 2), (60, 30)):
        page, end = measure(interval, step, arguments.rounds)
        for words, times in (("key created to page", page), ("key deleted to end of page", end)):
            print(f"| {interval} s | {step} s | {words} "
                  f"| {statistics.median(times):.1f} s | {times[-1]:.1f} s |", flush=True)


if __name__ == "__main__":
    main()

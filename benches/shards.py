"""Measures an organization of 100,000 accounts in ten shards on one machine, and the Prometheus that scrapes them:
memory, processor, series, and how long the rules take. First one shard is scraped, then all.

The simulated AWS is a process of its own and is not counted. Run it by `make bench-shards`;
docs/performance.md has a result.
"""

import argparse
import contextlib
import json
import pathlib
import re
import tempfile
import time

from peers import ROOT, Daemon, Process, fetch, free_port, simulator, until

RULES = [ROOT / "deploy/prometheus" / f"{name}.rules.yml" for name in ("aws-root-exporter", "aws-iam-users")]
INTERVAL = 30


class Prometheus(Process):
    """A Prometheus with the shipped rules, which scrapes these ports as it would by default."""

    def __init__(self, folder, ports):
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        config = pathlib.Path(folder) / f"prometheus-{port}.yml"
        targets = ", ".join(f"'127.0.0.1:{port}'" for port in ports)
        config.write_text(
            f"global: {{scrape_interval: {INTERVAL}s, scrape_timeout: 20s, evaluation_interval: {INTERVAL}s}}\n"
            f"rule_files: [{', '.join(map(repr, map(str, RULES)))}]\n"
            "scrape_configs:\n"
            f"  - {{job_name: aws-root-exporter, static_configs: [{{targets: [{targets}]}}]}}\n")
        super().__init__("prometheus", f"--config.file={config}", f"--storage.tsdb.path={folder}/data-{port}",
                         f"--web.listen-address=127.0.0.1:{port}", "--log.level=error")

    def ask(self, path):
        return json.loads(fetch(self.url + path))["data"]

    def number(self, query):
        found = self.ask(f"/api/v1/query?query={query}")["result"]
        return float(found[0]["value"][1]) if found else 0

    def own(self, name):
        text = fetch(self.url + "/metrics").decode()
        return float(re.search(rf"^{name} (\S+)$", text, re.M)[1])


def observe(daemons, ports, folder, seconds):
    """Scrapes some shards for a while: a row of the table."""
    with Prometheus(folder, ports) as prometheus:
        until("the first scrapes", lambda: prometheus.number("count(up==1)") == len(ports), pause=2)
        # The second evaluation of a series is the first at its usual cost.
        time.sleep(3 * INTERVAL)
        before = [daemon.cpu for daemon in daemons], prometheus.cpu
        slowest, end = {}, time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(5)
            for group in prometheus.ask("/api/v1/rules")["groups"]:
                took = group["evaluationTime"]
                slowest[group["name"]] = max(took, slowest.get(group["name"], 0))
        cpu = [(daemon.cpu - spent) / seconds for daemon, spent in zip(daemons, before[0])]
        share = (prometheus.cpu - before[1]) / seconds
        series = prometheus.own("prometheus_tsdb_head_series")
        scrape = prometheus.number("max(scrape_duration_seconds)")
        known = prometheus.number("count(aws_root_access_keys_active)")
        memory = [daemon.memory() for daemon in daemons]
        print(f"| {known:.0f} | {sum(cpu):.1%}, {max(cpu):.1%} | {sum(memory):.0f}, {max(memory):.0f} MiB "
              f"| {series:.0f} | {share:.1%} | {prometheus.memory():.0f} MiB | {scrape:.2f} s "
              f"| {', '.join(f'{name} {took:.1f} s' for name, took in sorted(slowest.items()))} |", flush=True)
        return known


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--accounts", type=int, default=100_000)
    parser.add_argument("--shards", type=int, default=10)
    parser.add_argument("--seconds", type=int, default=180)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, simulator(arguments.accounts) as aws, contextlib.ExitStack() as stack:
        daemons = []
        for index in range(arguments.shards):
            settings = f"[shard]\nindex = {index}\ntotal = {arguments.shards}\n"
            daemons.append(stack.enter_context(Daemon(folder, aws, settings)))
        for daemon in daemons:
            until("the first poll of every account", daemon.is_ready, bound=900, pause=1)
        print("| accounts in Prometheus | processor: all exporters, one at most | memory: all, one at most | series "
              "| Prometheus' processor | its memory | slowest scrape | groups of rules at their slowest |\n"
              "| --- | --- | --- | --- | --- | --- | --- | --- |", flush=True)
        observe(daemons, [daemons[0].port], folder, arguments.seconds)
        known = observe(daemons, [daemon.port for daemon in daemons], folder, arguments.seconds)
        if known < arguments.accounts:
            raise SystemExit(f"Prometheus knows {known:.0f} accounts")


if __name__ == "__main__":
    main()

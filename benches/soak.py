"""Measures whether the daemon's memory, files or threads grow during a long run with random faults.

It starts the simulated AWS (crates/aws-simulator/examples/) with random faults and changes, and the
daemon. Clients request metrics, plain and compressed, pages and the API all the time. The daemon's
process is measured after two minutes and at the end, each time without faults and clients; the exit
code is 1 if it has grown.

    python3 benches/soak.py --minutes 10
"""

import argparse
import contextlib
import gzip
import http.client
import os
import pathlib
import subprocess
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent

# Seconds without clients and faults before a measurement, and seconds that it takes.
QUIET, MEASURED = 20, 10

# The default of refresh.concurrency, twice: summaries and root sessions.
MAX_CALLS = 64 * 2

PATHS = (
    ("/metrics", {}),
    ("/metrics", {"Accept-Encoding": "gzip"}),
    ("/metrics", {"Accept": "application/openmetrics-text;version=1.0.0", "Accept-Encoding": "gzip"}),
    ("/", {"Accept-Encoding": "gzip"}),
    ("/?state=finding", {}),
    ("/accounts/999000000003", {}),
    ("/accounts/000000000002", {"Accept-Encoding": "gzip"}),
    ("/api/v1/accounts", {"Accept-Encoding": "gzip"}),
    ("/api/v1/accounts/999000000003", {}),
)


class Clients:
    """Clients that request every path while `go` is set; half of them reuse their connection."""

    def __init__(self, port):
        self.port, self.requests, self.errors = port, 0, []
        self.go, self.over, self.lock = threading.Event(), False, threading.Lock()
        self.threads = [threading.Thread(target=self.run, args=(n,), daemon=True) for n in range(4)]
        for thread in self.threads:
            thread.start()

    def run(self, number):
        turn, connection = number, None
        while not self.over:
            if not self.go.is_set() and connection:
                connection.close()
                connection = None
            if not self.go.wait(0.2):
                continue
            path, headers = PATHS[turn % len(PATHS)]
            turn += 1
            try:
                connection = connection or http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
                connection.request("GET", path, headers=headers)
                answer = connection.getresponse()
                body = answer.read()
                if answer.getheader("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                if answer.status != 200 or not body:
                    raise OSError(f"{answer.status}, {len(body)} bytes")
            except (OSError, http.client.HTTPException) as error:
                with self.lock:
                    self.errors.append(f"{path}: {error!r}")
                connection = None
            with self.lock:
                self.requests += 1
            if number % 2 == 0 and connection:
                connection.close()
                connection = None
            time.sleep(0.1)


def scrape(port):
    """The daemon's metrics about itself that have no labels, and some sums."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", "/metrics")
    lines = connection.getresponse().read().decode().splitlines()
    connection.close()
    plain = (line.split(" ") for line in lines if not line.startswith("#") and "{" not in line)
    metrics = {name: float(value) for name, value in plain}
    metrics["accounts"] = sum(line.startswith("aws_root_access_keys_active{") for line in lines)
    metrics["calls"] = sum(
        float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith("aws_root_exporter_aws_requests_total{"))
    metrics["failed calls"] = metrics["calls"] - sum(
        float(line.rsplit(" ", 1)[1]) for line in lines
        if line.startswith("aws_root_exporter_aws_requests_total{") and 'outcome="success"' in line)
    return metrics


def status(pid, aws):
    """Resident memory in KiB, open files and threads. Connections to AWS are counted apart: the SDK keeps
    idle ones for a while, more of them after faults."""
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    fields = dict(line.split(":", 1) for line in lines)
    rows = [line.split() for line in pathlib.Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]]
    to_aws = {f"socket:[{row[9]}]" for row in rows if int(row[2].rsplit(":", 1)[1], 16) == aws}
    files = [link for link in map(read_link, pathlib.Path(f"/proc/{pid}/fd").iterdir()) if link]
    return {"memory": int(fields["VmRSS"].split()[0]), "file descriptors": sum(link not in to_aws for link in files),
            "AWS connections": sum(link in to_aws for link in files), "threads": int(fields["Threads"])}


def read_link(path):
    try:
        return os.readlink(path)
    except OSError:
        return None  # It was closed in the meantime.


def measure(pid, port, aws, clients, order):
    """The minimum of each value over some seconds without clients and faults."""
    clients.go.clear()
    order("faults off")
    time.sleep(QUIET)
    found = []
    end = time.monotonic() + MEASURED
    while time.monotonic() < end:
        found.append(status(pid, aws))
        time.sleep(0.5)
    metrics = scrape(port)
    least = {name: min(one[name] for one in found) for name in found[0]}
    return least | {"most overdue account": metrics["aws_root_exporter_refresh_lag_seconds"], "accounts": int(metrics["accounts"]),
                    "calls": int(metrics["calls"]), "failed calls": int(metrics["failed calls"])}


def config(folder, interval):
    return (f'[refresh]\ninterval = "{interval}s"\ntimeout = "5s"\n[state]\npath = "{folder}/state.redb"\n'
            '[organization]\nenabled = true\naccess = "both"\ninterval = "10s"\ntag_labels = ["team"]\n'
            '[users]\ndetail = true\n')


def soak(arguments):
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        def start(command, **more):
            process = stack.enter_context(subprocess.Popen(command, text=True, **more))
            stack.callback(process.kill)
            return process

        simulator = start([arguments.simulator, "--accounts", str(arguments.accounts), "--seed", str(arguments.seed)],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        url = simulator.stdout.readline().strip()

        def order(line):
            simulator.stdin.write(line + "\n")
            simulator.stdin.flush()

        path = pathlib.Path(folder) / "config.toml"
        path.write_text(config(folder, arguments.interval))
        log = open(pathlib.Path(folder) / "log", "w+")
        daemon = start([arguments.binary, "--config.file", str(path), "--web.listen-address=127.0.0.1:0"],
                       stdout=log, stderr=subprocess.STDOUT, cwd=folder,
                       env={"AWS_ENDPOINT_URL": url, "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
                            "AWS_SECRET_ACCESS_KEY": "nothing", "AWS_EC2_METADATA_DISABLED": "true",
                            "HOME": folder, "PATH": os.environ.get("PATH", "")})
        port = wait_for_port(daemon, log)
        wait_for_accounts(port, arguments.accounts)
        clients = Clients(port)
        begun = time.monotonic()

        def faults_until(minutes):
            order("faults on")
            clients.go.set()
            end = begun + minutes * 60 - QUIET - MEASURED
            while time.monotonic() < end:
                if daemon.poll() is not None:
                    raise SystemExit(f"the daemon ended: {daemon.returncode}")
                time.sleep(1)

        faults_until(arguments.settle)
        aws = int(url.rsplit(":", 1)[1])
        before = measure(daemon.pid, port, aws, clients, order)
        faults_until(arguments.minutes)
        after = measure(daemon.pid, port, aws, clients, order)
        clients.over = True
        log.close()
    return before, after, clients


def wait_for_port(daemon, log):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and daemon.poll() is None:
        with open(log.name) as lines:
            for line in lines:
                if "message=listening" in line and line.endswith("\n"):
                    return int(line.split("address=")[1].split()[0].strip('"').rsplit(":", 1)[1])
        time.sleep(0.1)
    raise SystemExit("the daemon does not listen")


def wait_for_accounts(port, accounts):
    """Waits until all accounts have a value; before that there is nothing to compare."""
    deadline = time.monotonic() + 600
    while scrape(port)["accounts"] < accounts:
        if time.monotonic() > deadline:
            raise SystemExit("not all accounts have a value after ten minutes")
        time.sleep(1)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--accounts", type=int, default=1_000)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--settle", type=float, default=2, help="minutes until the first measurement")
    parser.add_argument("--interval", type=int, default=5, help="refresh.interval, in seconds")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--binary", default=ROOT / "target/dist/aws-root-exporter")
    parser.add_argument("--simulator", default=ROOT / "target/dist/examples/simulator")
    arguments = parser.parse_args()
    before, after, clients = soak(arguments)
    print(f"{arguments.accounts} accounts every {arguments.interval} s under faults, {clients.requests} requests\n")
    print(f"| | after {arguments.settle:g} min | after {arguments.minutes:g} min |\n| --- | --- | --- |")
    units = {"memory": " KiB", "most overdue account": " s"}
    for name in before:
        unit = units.get(name, "")
        print(f"| {name} | {before[name]}{unit} | {after[name]}{unit} |")
    problems = []
    if after["memory"] > before["memory"] * 1.05:
        problems.append(f"memory grew by {after['memory'] / before['memory'] - 1:.1%}")
    problems += [f"{name} grew from {before[name]} to {after[name]}"
                 for name in ("file descriptors", "threads") if after[name] > before[name]]
    if after["AWS connections"] > MAX_CALLS:
        problems.append(f"{after['AWS connections']} connections to AWS for at most {MAX_CALLS} calls at once")
    if after["most overdue account"] > arguments.interval:
        problems.append(f"polls are late by {after['most overdue account']} s")
    if after["accounts"] != arguments.accounts:
        problems.append(f"{after['accounts']} accounts have a value")
    if after["failed calls"] <= before["failed calls"]:
        problems.append("no call failed, so no fault had an effect")
    if clients.errors:
        problems.append(f"{len(clients.errors)} requests failed, the first: {clients.errors[0]}")
    if problems:
        raise SystemExit("\n".join(problems))


if __name__ == "__main__":
    main()

"""Compares the exporter's cost with that of programs that people would use instead: a table of ratios.

Every peer runs on the same data and in the same run, so that a noisy machine affects all alike. The
simulated AWS is a process of its own and is not counted. Run it by `make bench`; docs/performance.md
has a result and explains the comparisons.
"""

import argparse
import contextlib
import gzip
import http.client
import json
import math
import os
import pathlib
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
RELEASE = ROOT / "target/dist"
PYTHON = ROOT / ".venv/bin/python"
TICKS = os.sysconf("SC_CLK_TCK")
GZIP = {"Accept-Encoding": "gzip"}
CALLS = re.compile(r"^aws_root_exporter_aws_requests_total\{.*\} (\S+)$", re.M)
KEYS = re.compile(r"^aws_root_access_keys_active\{", re.M)
VERIFIED = re.compile(r"^aws_account_push_up\{.*\} 1$", re.M)
RARE = re.compile(r"^aws_account_poll_interval_seconds\{.*\} 900\.0$", re.M)
LAG = re.compile(r"^aws_root_exporter_refresh_lag_seconds (\S+)$", re.M)


class Process:
    """A program that is stopped at the end of its `with` block, and the resources that it uses."""

    def __init__(self, *command, **options):
        self.child = subprocess.Popen([str(word) for word in command], **options)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.child.terminate()
        try:
            self.child.wait(20)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()

    @contextlib.contextmanager
    def paused(self):
        """Pauses the program while another is measured."""
        self.child.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.child.send_signal(signal.SIGCONT)

    @property
    def cpu(self):
        """Processor seconds so far."""
        fields = pathlib.Path(f"/proc/{self.child.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def memory(self, which="VmRSS"):
        """Memory in MiB: current (`VmRSS`) or peak (`VmHWM`)."""
        status = pathlib.Path(f"/proc/{self.child.pid}/status").read_text()
        return int(re.search(rf"^{which}:\s+(\d+)", status, re.M)[1]) / 1024


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def fetch(url, headers=None, data=None, method=None):
    request = urllib.request.Request(url, headers=headers or {}, data=data, method=method)
    with urllib.request.urlopen(request, timeout=120) as answer:
        return answer.read()


def until(what, found, bound=300, pause=0.02):
    """Waits until `found` returns something; returns the seconds that it took."""
    start = time.monotonic()
    while True:
        with contextlib.suppress(OSError):
            if found():
                return time.monotonic() - start
        if time.monotonic() - start > bound:
            raise SystemExit(f"{what}: not within {bound} s")
        time.sleep(pause)


@contextlib.contextmanager
def simulator(accounts, *options):
    """Starts the simulated AWS and yields its URL, and with `--queue NAME` the URL of the queue after it. It
    gets one core only, so that it does not take the processor from the measured program."""
    command = "taskset", "-c", max(os.sched_getaffinity(0)), RELEASE / "examples/simulator", "--accounts", accounts
    with Process(*command, *options, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        read = process.child.stdout.readline
        url, _ids = read().strip(), read()
        yield (url, read().strip()) if "--queue" in options else url


class Daemon(Process):
    """The exporter, monitoring the simulated organization."""

    def __init__(self, folder, aws, settings="", state=None):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        config = pathlib.Path(folder) / f"{self.port}.toml"
        config.write_text(
            f'[web]\nlisten_address = ["127.0.0.1:{self.port}"]\n'
            '[organization]\nenabled = true\ntag_labels = ["team"]\n'
            + (f'[state]\npath = "{state}"\n' if state else "") + settings)
        environment = {
            "PATH": os.environ["PATH"], "HOME": str(folder), "AWS_ENDPOINT_URL": aws,
            "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "none",
            "AWS_EC2_METADATA_DISABLED": "true"}
        super().__init__(RELEASE / "aws-root-exporter", f"--config.file={config}", "--log.level=error",
                         env=environment)

    def metrics(self):
        return fetch(self.url + "/metrics").decode()

    def count(self, pattern):
        return len(pattern.findall(self.metrics()))

    def calls(self):
        return sum(float(count) for count in CALLS.findall(self.metrics()))

    def is_ready(self):
        return fetch(self.url + "/-/ready") == b"OK\n"

    def settle(self, seconds):
        until("the first poll of every account", self.is_ready, pause=0.5)
        time.sleep(seconds)


class Table:
    """The results, printed as they come and again as a table at the end."""

    def __init__(self):
        self.rows = []

    def add(self, what, value, target=None, is_met=None, note=""):
        verdict = "" if is_met is None else ("yes" if is_met else "**no**")
        self.rows.append((what, value, target or "", verdict, note))
        print(f"  {what}: {value} {note}", flush=True)

    def write(self):
        print("\n| | measured | target | met | |\n| --- | --- | --- | --- | --- |")
        for row in self.rows:
            print("| " + " | ".join(row) + " |")

    @property
    def is_met(self):
        return not any(row[3] == "**no**" for row in self.rows)


def wrk(url, seconds, connections):
    """Runs wrk: p50 and p99 in milliseconds, and requests a second."""
    output = subprocess.run(
        ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "60s", "--latency",
         "-H", "Accept-Encoding: gzip", url],
        check=True, capture_output=True, text=True).stdout
    units = {"us": 0.001, "ms": 1, "s": 1000, "m": 60_000}

    def percentile(which):
        number, unit = re.search(rf"^\s+{which}%\s+([\d.]+)(us|ms|s|m)$", output, re.M).groups()
        return float(number) * units[unit]

    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", output)
    if bad:
        raise SystemExit(f"{url}: {bad[0]}")
    return percentile(50), percentile(99), float(re.search(r"Requests/sec:\s+([\d.]+)", output)[1])


def slow(url, times):
    """Median and maximum of some requests, in milliseconds, for a peer that is too slow for wrk."""
    took = []
    for _ in range(times):
        start = time.monotonic()
        fetch(url, GZIP)
        took.append((time.monotonic() - start) * 1000)
    return statistics.median(took), max(took)


class Nginx(Process):
    """nginx with bytes that are compressed in advance. Without sendfile it is faster on loopback."""

    def __init__(self, folder):
        port = free_port()
        self.url = f"http://127.0.0.1:{port}/metrics"
        self.files = pathlib.Path(folder) / "nginx"
        self.files.mkdir()
        files = self.files
        (files / "nginx.conf").write_text(f"""
daemon off; worker_processes 1; pid {files}/pid; error_log stderr error;
events {{ worker_connections 256; }}
http {{
  access_log off; sendfile off; output_buffers 2 512k; tcp_nodelay on; keepalive_requests 1000000;
  client_body_temp_path {files}/a; proxy_temp_path {files}/b; fastcgi_temp_path {files}/c;
  uwsgi_temp_path {files}/d; scgi_temp_path {files}/e;
  server {{ listen 127.0.0.1:{port}; root {files}; location / {{ gzip_static always; }} }}
}}
""")
        # Started by root, its worker would run as another user, who cannot read the temporary folder.
        user = ["-g", "user root;"] if os.geteuid() == 0 else []
        super().__init__("nginx", "-p", files, "-c", files / "nginx.conf", *user)

    def publish(self, body):
        """Replaces the bytes, at once."""
        new = self.files / "new"
        new.write_bytes(body)
        new.rename(self.files / "metrics.gz")


class Scraper:
    """Scrapes as Prometheus does: gzip, OpenMetrics, on a connection that stays open."""

    HEADERS = {**GZIP, "Accept": "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"}

    def __init__(self, url):
        address = urllib.parse.urlsplit(url)
        self.path = address.path
        self.connection = http.client.HTTPConnection(address.hostname, address.port, timeout=120)

    def scrape(self):
        """The compressed answer, and the milliseconds until its last byte."""
        start = time.monotonic()
        self.connection.request("GET", self.path, headers=self.HEADERS)
        answer = self.connection.getresponse()
        body = answer.read()
        took = (time.monotonic() - start) * 1000
        if answer.status != 200:
            raise SystemExit(f"{self.path}: status {answer.status}")
        return body, took


def scrape_cold(ours, nginx, seconds):
    """Two Prometheus, out of step, scrape every 15 seconds: accounts were polled before each scrape. nginx gets
    the same bytes and is scraped after it. Returns the milliseconds of both and the last answer."""
    scrapers = [(Scraper(ours), Scraper(nginx.url)) for _ in range(2)]
    mine, theirs = [], []
    start = time.monotonic()
    for turn in range(seconds * 2 // 15):
        time.sleep(max(0, start + (turn + 1) * 7.5 - time.monotonic()))
        one, other = scrapers[turn % 2]
        body, took = one.scrape()
        mine.append(took)
        nginx.publish(body)
        theirs.append(other.scrape()[1])
    return mine, theirs, body


def pushgateway(text):
    port = free_port()
    process = Process("prometheus-pushgateway", f"--web.listen-address=127.0.0.1:{port}",
                      "--push.disable-consistency-check", "--log.level=error")
    url = f"http://127.0.0.1:{port}/metrics"
    until("pushgateway", lambda: fetch(url))
    fetch(url + "/job/bench", data=text.encode(), method="PUT")
    # It answers before the pushed series are visible.
    until("the pushed series", lambda: len(fetch(url)) > len(text), pause=1)
    return process, url


def collector(folder, text):
    port = free_port()
    path = pathlib.Path(folder) / "series.txt"
    path.write_text(text)
    process = Process(PYTHON, ROOT / "benches/peer_collector.py", port, path)
    url = f"http://127.0.0.1:{port}/metrics"
    until("prometheus_client", lambda: fetch(url))
    return process, url


def without_own(text):
    """The exposition without the families that each peer exports about itself."""
    return "".join(line for line in text.splitlines(True) if not re.match(r"(# \w+ )?process_", line))


def boto3(aws, how, seconds):
    """boto3 at full speed for some seconds: its calls a core-second, and its memory in MiB."""
    answer = subprocess.run([PYTHON, ROOT / "benches/peer_boto3.py", aws, how, str(seconds)],
                            check=True, capture_output=True, text=True).stdout
    return json.loads(answer)


def refresh(table, folder, accounts, seconds):
    """Both at full speed, in turns: more polls are due than one core can make."""
    print("refresh: calls a core-second", flush=True)
    with simulator(accounts) as aws:
        settings = '[refresh]\ninterval = "1s"\n[sources]\ncredential_report = false\n'
        with Daemon(folder, aws, settings) as ours:
            ours.settle(5)
            turns = []
            for _ in range(3):
                calls, cpu = ours.calls(), ours.cpu
                time.sleep(seconds)
                cpu = ours.cpu - cpu
                mine = (ours.calls() - calls) / cpu
                with ours.paused():
                    turns.append((mine, boto3(aws, "shared", seconds)))
                time.sleep(1)
            with ours.paused():
                each = boto3(aws, "each", seconds)
    ratio = statistics.median(mine / other["calls_a_core_second"] for mine, other in turns)
    mine = statistics.median(mine for mine, _ in turns)
    one = statistics.median(other["calls_a_core_second"] for _, other in turns)
    table.add("calls a core-second against boto3, one client", f"{ratio:.1f} ×", "12 × at least", ratio >= 12,
              f"{mine:.0f} against {one:.0f}; boto3 {turns[-1][1]['memory']:.0f} MiB")
    table.add("calls a core-second against boto3, a session and a client an account",
              f"{mine / each['calls_a_core_second']:.0f} ×",
              note=f"{each['calls_a_core_second']:.0f}; boto3 {each['memory']:.0f} MiB")


def reports(table):
    print("reading reports", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        answer = subprocess.run([RELEASE / "examples/read_reports", folder], check=True, capture_output=True, text=True)
        for found in map(json.loads, answer.stdout.splitlines()):
            peer = subprocess.run([PYTHON, ROOT / "benches/peer_csv.py", found["file"]],
                                  check=True, capture_output=True, text=True).stdout
            table.add(f"reading a report of {found['users']} users against Python's csv", f"1/{float(peer) / found['ours']:.1f}",
                      note=f"{found['ours']:.0f} µs against {float(peer):.0f} µs; the csv crate alone {found['csv']:.0f} µs, "
                           f"so {found['ours'] / found['csv']:.1f} × that")


def exponent(points):
    """The slope of a regression on logarithmic scales: 1 is linear growth."""
    xs, ys = zip(*((math.log(n), math.log(value)) for n, value in points))
    x, y = statistics.mean(xs), statistics.mean(ys)
    return sum((a - x) * (b - y) for a, b in zip(xs, ys)) / sum((a - x) ** 2 for a in xs)


def growth(table, folder, sizes, seconds, measured):
    """`measured` has the share and the memory of sizes that were measured before."""
    print("growth", flush=True)
    for accounts in sizes:
        if accounts in measured:
            continue
        with simulator(accounts) as aws, Daemon(folder, aws) as ours:
            ours.settle(20)
            before = ours.cpu
            for _ in range(seconds // 15):
                time.sleep(15)
                fetch(ours.url + "/metrics", GZIP)
            measured[accounts] = (ours.cpu - before) / seconds, ours.memory()
        table.add(f"{accounts} accounts", f"{measured[accounts][0]:.2%} of a core, {measured[accounts][1]:.0f} MiB")
    for index, what in enumerate(("processor", "memory")):
        slope = exponent([(accounts, measured[accounts][index]) for accounts in sizes])
        table.add(f"growth exponent of {what}", f"{slope:.2f}", "1.05", slope <= 1.05)


def steady(table, folder, accounts, seconds, short):
    """The daemon as it is used, and what a scrape costs. Returns its share of a core and its memory."""
    print(f"steady state: {accounts} accounts, {seconds} s", flush=True)
    state = pathlib.Path(folder) / "steady.json"
    with simulator(accounts) as aws:
        with Daemon(folder, aws, state=state) as ours, Nginx(folder) as nginx:
            took = until("the port", lambda: fetch(ours.url + "/-/healthy"), pause=0.005)
            table.add("start without state: the port answers", f"{took:.2f} s", "0.5 s", took <= 0.5)
            ours.settle(20)
            url = ours.url + "/metrics"
            nginx.publish(Scraper(url).scrape()[0])
            until("nginx", lambda: fetch(nginx.url, GZIP))
            before = ours.cpu
            mine, theirs, body = scrape_cold(url, nginx, seconds)
            share, memory, most = (ours.cpu - before) / seconds, ours.memory(), ours.memory("VmHWM")
            text = gzip.decompress(body).decode()
            lag = float(LAG.search(text)[1])
            table.add("processor in steady state", f"{share:.1%} of a core", "3 %", share <= 0.03,
                      "two Prometheus scrape it every 15 s")
            table.add("memory in steady state", f"{memory:.0f} MiB", "85 MiB", memory <= 85, f"at most {most:.0f} MiB")
            table.add("most overdue account", f"{lag:.1f} s", "15 s", lag <= 15)
            series = sum(not line.startswith("#") for line in text.splitlines())
            table.add("series; bytes plain, compressed",
                      f"{series}; {len(text) / 1e6:.1f} MB, {len(body) / 1e6:.1f} MB")
            p50, worst = statistics.median(mine), max(mine)
            table.add("cold scrape p50 against nginx gzip_static, same bytes, as often changed",
                      f"{p50 / statistics.median(theirs):.1f} ×",
                      note=f"{p50:.1f} ms against {statistics.median(theirs):.1f} ms; "
                           f"worst {worst:.0f} ms against {max(theirs):.0f} ms")
            warm(table, ours, nginx, short)
            # The peers read Prometheus' older format only.
            text = without_own(ours.metrics())
            with ours.paused():
                slow_peers(table, folder, text, p50, worst)
        with Daemon(folder, aws, state=state) as again:
            took = until("all values", lambda: len(KEYS.findall(again.metrics())) == accounts, pause=0.05)
            table.add("start with state: all values are exported", f"{took:.2f} s", "2 s", took <= 2)
    return share, memory


def warm(table, ours, nginx, seconds):
    """Many requests a second, which share an answer for a second."""
    url = ours.url + "/metrics"
    pairs = [(wrk(url, seconds, 1), wrk(nginx.url, seconds, 1)) for _ in range(3)]
    crowd = wrk(url, seconds, 8), wrk(nginx.url, seconds, 8)
    ratio = statistics.median(a[0] / b[0] for a, b in pairs)
    mine = [statistics.median(values) for values in zip(*(a for a, _ in pairs))]
    theirs = [statistics.median(values) for values in zip(*(b for _, b in pairs))]
    table.add("warm scrape p50 against nginx gzip_static, same bytes", f"{ratio:.2f} ×", "1.0 ×", ratio <= 1.0,
              f"{mine[0]:.2f} ms against {theirs[0]:.2f} ms; p99 {mine[1]:.1f} ms against {theirs[1]:.1f} ms")
    table.add("requests a second against nginx, 8 clients", f"{crowd[0][2] / crowd[1][2]:.2f} ×",
              note=f"{crowd[0][2]:.0f} against {crowd[1][2]:.0f}; memory {ours.memory():.0f} MiB against {nginx.memory():.0f} MiB")


def slow_peers(table, folder, text, p50, worst):
    """The cold scrape against programs that render the same series at each request."""
    for name, start, limits in (("pushgateway", lambda: pushgateway(text), (1 / 20, 1 / 8)),
                                ("prometheus_client in Python", lambda: collector(folder, text), (None, None))):
        peer, url = start()
        with peer:
            other = slow(url, 9)
            memory = peer.memory()
        # The worst of ours also against the other's median: its own worst would excuse us.
        for what, took, limit in (("p50", p50, limits[0]), ("worst", worst, limits[1])):
            ratio = took / other[0]
            table.add(f"cold scrape {what} against the p50 of {name}", f"1/{1 / ratio:.0f}", limit and f"1/{1 / limit:.0f}",
                      ratio <= limit if limit else None,
                      f"{took:.1f} ms against {other[0]:.0f} ms, worst {other[1]:.0f} ms, {memory:.0f} MiB")


def push(table, folder, accounts, seconds):
    """The same where the events of every account are verified and none has findings. Those with findings are
    polled as often as without push."""
    print(f"push: {accounts} accounts, {seconds} s", flush=True)
    with simulator(accounts, "--without-findings", "--queue", "aws-root-exporter-0") as (aws, queue):
        with Daemon(folder, aws, f'[events]\nqueue_url = "{queue}"\n') as ours:
            until("the first poll of every account", ours.is_ready, pause=0.5)
            until("the echo of every account", lambda: ours.count(VERIFIED) == accounts, pause=5)
            # The last of them are polled at the short interval twice more.
            until("the long interval of every account", lambda: ours.count(RARE) == accounts, pause=5)
            time.sleep(130)
            scraper = Scraper(ours.url + "/metrics")
            before, calls, scrapes = ours.cpu, ours.calls(), []
            for _ in range(seconds // 15):
                time.sleep(15)
                scrapes.append(scraper.scrape()[1])
            share, calls = (ours.cpu - before) / seconds, ours.calls() - calls
    table.add("processor with push verified", f"{share:.2%} of a core", "1 %", share <= 0.01,
              f"all accounts polled every 15 minutes; {calls / seconds:.0f} calls to AWS a second; "
              f"scrape p50 {statistics.median(scrapes):.1f} ms, worst {max(scrapes):.0f} ms")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--accounts", type=int, default=10_000)
    parser.add_argument("--steady", type=int, default=300, metavar="SECONDS")
    parser.add_argument("--seconds", type=int, default=6, help="of each short measurement")
    parser.add_argument("--only", nargs="*", choices=("refresh", "reports", "growth", "steady", "push"))
    arguments = parser.parse_args()
    table = Table()
    measured = {}
    wanted = arguments.only or ("steady", "push", "refresh", "reports", "growth")
    with tempfile.TemporaryDirectory() as folder:
        for section in wanted:
            match section:
                case "steady":
                    measured[arguments.accounts] = steady(
                        table, folder, arguments.accounts, arguments.steady, arguments.seconds)
                case "push":
                    push(table, folder, arguments.accounts, arguments.steady * 2 // 5)
                case "refresh":
                    refresh(table, folder, arguments.accounts, arguments.seconds)
                case "reports":
                    reports(table)
                case "growth":
                    growth(table, folder, (100, 1000, 10_000, 30_000), 45, measured)
    table.write()
    if not table.is_met:
        sys.exit("not every target is met: see above")


if __name__ == "__main__":
    main()

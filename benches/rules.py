"""Measures how long a real Prometheus takes to evaluate the rules for 10,000 accounts.

Writes a day of samples, loads them with `promtool tsdb create-blocks-from openmetrics`, serves the same
series as a scrape target, and reads the duration that Prometheus reports for each group. Run it by
`make bench-rules`; docs/performance.md has a result.
"""

import argparse
import http.server
import json
import pathlib
import socket
import subprocess
import tempfile
import threading
import time
import urllib.parse
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
RULES = [ROOT / "deploy/prometheus" / f"{name}.rules.yml" for name in ("aws-root-exporter", "aws-iam-users")]
JOB = 'job="aws-root-exporter"'
SOURCES = ("credential_report", "account_summary")
EVENTS = ("CreateAccessKey", "PasswordUpdated")


def families(accounts, alarming, now):
    """The metric families that rules use: the labels and the value of each series, by name."""
    ids = [f"{number:012}" for number in range(1, accounts + 1)]
    bad = set(ids[:alarming])
    accepted = set(ids[alarming:alarming + 20])
    def gauge(value_of, extra=("",)):
        return [(f'account="{a}"{more}', value_of(a)) for a in ids for more in extra]

    return {
        "aws_root_access_keys_active": gauge(lambda a: int(a in bad or a in accepted)),
        "aws_root_access_keys_present": gauge(lambda a: int(a in bad or a in accepted)),
        "aws_root_access_keys_accepted": [(f'account="{a}"', 1) for a in sorted(accepted)],
        "aws_root_access_keys_observed_timestamp_seconds": gauge(lambda a: now),
        "aws_root_mfa_enabled": gauge(lambda a: int(a not in bad)),
        "aws_root_password_enabled": gauge(lambda a: 1),
        "aws_root_signing_certificates_active": gauge(lambda a: int(a in bad)),
        "aws_root_access_key_last_used_timestamp_seconds": gauge(
            lambda a: now - (3600 if a in bad else 9e6), (',key="1"',)),
        "aws_root_password_last_used_timestamp_seconds": gauge(lambda a: now - (3600 if a in bad else 9e6)),
        "aws_account_info": gauge(lambda a: 1, (',account_name="team-production",partition="aws"',)),
        "aws_account_up": gauge(lambda a: int(a not in bad), tuple(f',source="{s}"' for s in SOURCES)),
        "aws_account_last_success_timestamp_seconds": gauge(
            lambda a: now + (-9000 if a in bad else 3000), tuple(f',source="{s}"' for s in SOURCES)),
        "aws_credential_report_generated_timestamp_seconds": gauge(
            lambda a: now - (40_000 if a in bad else 3600)),
        # Push is verified nearly everywhere, and every root user signed in long ago.
        "aws_account_push_up": gauge(lambda a: int(a not in bad)),
        "aws_account_poll_interval_seconds": gauge(lambda a: 60 if a in bad else 900),
        "aws_account_push_tampered_timestamp_seconds": [(f'account="{a}"', now - 3600) for a in sorted(bad)],
        "aws_root_activity_last_timestamp_seconds": gauge(lambda a: now - 9e6, (',event="ConsoleLogin"',))
        + [(f'account="{a}",event="{event}"', now - 3600) for a in sorted(bad) for event in EVENTS],
        "aws_root_exporter_events_up": [("", 1)],
        "aws_iam_user_access_keys_active_older_than": gauge(lambda a: int(a in bad), (',days="90"',)),
        "aws_iam_user_credentials_unused_for": gauge(lambda a: int(a in bad), (',days="45"',)),
        "aws_iam_users_password_enabled_without_mfa": gauge(lambda a: int(a in bad)),
        "aws_iam_user_signing_certificates_active": gauge(lambda a: int(a in bad)),
        "aws_root_exporter_shard_index": [("", 0)],
        "aws_root_exporter_shard_total": [("", 1)],
        "aws_root_exporter_external_url_info": [('url="https://exporter.example.com"', 1)],
    }


def recorded():
    """What the rules would have recorded in a day of alarms: labels, value, and interval, by name."""
    every = {}
    for facts, fact, step in (
        ("aws_root", "AWSRootAccessKeyActive", 30), ("aws_root", "AWSRootAccessKeyPresent", 30),
        ("aws_root", "AWSRootMFADisabled", 30), ("aws_root", "AWSRootSigningCertificateActive", 30),
        ("aws_iam_users", "AWSIAMUserAccessKeyOld", 300), ("aws_iam_users", "AWSIAMUserCredentialUnused", 300),
        ("aws_iam_users", "AWSIAMUserConsoleWithoutMFA", 300), ("aws_iam_users", "AWSIAMUserSigningCertificateActive", 300),
    ):
        labels = f'fact="{fact}"'
        every.setdefault(f"fact:{facts}:alarm_observed", []).append((f'{labels},{JOB},instance="before"', None, step))
        every.setdefault(f"fact:{facts}:value", []).append((labels, 1, step))
        every.setdefault(f"fact:{facts}:since", []).append((labels, None, step))
    for problem, more in (
        ("AWSAccountUnreadable", ("",)), ("AWSRootEvidenceStale", ("",)), ("AWSCredentialReportStale", ("",)),
        ("AWSAccountPushDown", ("",)),
        ("AWSAccountRefreshFailing", tuple(f',source="{s}"' for s in SOURCES)),
    ):
        for labels in (f'problem="{problem}"{extra}' for extra in more):
            every.setdefault("problem:aws:since", []).append((labels, None, 30))
            every.setdefault("problem:aws:seconds", []).append((labels, 3600, 30))
    for name in ("aws_root_access_key_last_used_timestamp_seconds", "aws_root_password_last_used_timestamp_seconds"):
        every[f"account:{name}:recent"] = [("", None, 30)]
    every["account:aws_account_push_tampered_timestamp_seconds:recent"] = [("", None, 30)]
    every["account_event:aws_root_activity_last_timestamp_seconds:recent"] = [
        (f'event="{event}"', None, 30) for event in EVENTS]
    return every

# Only AWSAccountsMissing reads past samples of all accounts, up to two hours old.
RANGED = {"aws_account_info": 2.1, "aws_root_exporter_shard_index": 2.1}


def write_day(path, found, alarming, now, instance):
    with open(path, "w") as out:
        for name, hours in RANGED.items():
            out.write(f"# TYPE {name} gauge\n")
            # Not the last minutes: with them all accounts would be unknown until the first scrape.
            times = range(int(now - hours * 3600), now - 360, 30)
            for labels, value in found[name]:
                comma = "," if labels else ""
                line = f'{name}{{{labels}{comma}{JOB},instance="{instance}"}} {value} '
                out.writelines(f"{line}{at}\n" for at in times)
        for name, series in recorded().items():
            out.write(f"# TYPE {name} gauge\n")
            for labels, value, step in series:
                value = now - 3600 if value is None else value
                for number in range(1, alarming + 1):
                    line = f'{name}{{account="{number:012}"{"," if labels else ""}{labels}}} {value} '
                    out.writelines(f"{line}{at}\n" for at in range(now - 86400, now, step))
        out.write("# EOF\n")


def serve(body):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def ask(port, path):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=30) as answer:
        return json.load(answer)["data"]


def measure(accounts, alarming, rounds, each):
    now = int(time.time())
    found = families(accounts, alarming, now)
    body = "".join(f"{name}{{{labels}}} {value}\n" for name, series in found.items() for labels, value in series)
    target = serve(body.encode())
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        samples, data, config = folder / "day.om", folder / "data", folder / "prometheus.yml"
        write_day(samples, found, alarming, now, f"127.0.0.1:{target}")
        subprocess.run(["promtool", "tsdb", "create-blocks-from", "openmetrics", samples, data],
                       check=True, stdout=subprocess.DEVNULL)
        size = samples.stat().st_size
        samples.unlink()
        # With the real interval the measurement would take half an hour; the cost of one evaluation is the same.
        users = folder / "iam.rules.yml"
        users.write_text(RULES[1].read_text().replace("interval: 5m", "interval: 15s"))
        config.write_text(
            "global: {scrape_interval: 15s, scrape_timeout: 10s, evaluation_interval: 15s}\n"
            f"rule_files: ['{RULES[0]}', '{users}']\n"
            "scrape_configs:\n  - job_name: aws-root-exporter\n"
            f"    static_configs: [{{targets: ['127.0.0.1:{target}']}}]\n")
        port = free_port()
        prometheus = subprocess.Popen(
            ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={data}",
             f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"])
        try:
            took = collect(port, rounds)
            rules = [rule for group in ask(port, "/api/v1/rules")["groups"] for rule in group["rules"]]
            query = urllib.parse.quote('count by (alertname) (ALERTS{alertstate="firing"})')
            fired = {r["metric"]["alertname"]: int(r["value"][1])
                     for r in ask(port, f"/api/v1/query?query={query}")["result"]}
        finally:
            prometheus.terminate()
            prometheus.wait()
    if fired.get("AWSRootAccessKeyActive") != alarming:
        raise SystemExit(f"not the expected alerts: {fired}")
    print(f"\n{accounts} accounts, {alarming} of them with every alarm, {len(body.splitlines())} live series, "
          f"a day of {size >> 20} MiB; {rounds} evaluations\n")
    print("| group | median | slowest |\n| --- | --- | --- |")
    total = 0
    for group, times in sorted(took.items()):
        times = sorted(times)
        # A group that is evaluated every 5 minutes takes a tenth of its time in each 30 seconds.
        total += times[-1] / (10 if group == "aws-iam-users" else 1)
        print(f"| {group} | {times[len(times) // 2] * 1000:.0f} ms | {times[-1] * 1000:.0f} ms |")
    print(f"| all at their slowest, in 30 s | | {total * 1000:.0f} ms |")
    if each:
        print("\n| rule | last |\n| --- | --- |")
        for rule in sorted(rules, key=lambda rule: -rule["evaluationTime"]):
            print(f"| {rule['name']} ({rule['type']}) | {rule['evaluationTime'] * 1000:.0f} ms |")
    return total


def collect(port, rounds):
    """The durations of some evaluations of every group after the first scrape."""
    took, seen, ready = {}, set(), False
    deadline = time.monotonic() + 120 + rounds * 30
    while len(took) < 3 or min(len(times) for times in took.values()) < rounds:
        if time.monotonic() > deadline:
            raise SystemExit(f"Prometheus did not evaluate often enough: {took}")
        time.sleep(1)
        try:
            count = ask(port, "/api/v1/query?query=count(aws_root_access_keys_active)")["result"]
            groups = ask(port, "/api/v1/rules")["groups"]
        except OSError:
            continue
        # Evaluations made or started before the end of the first scrape are incomplete.
        if not ready:
            ready = bool(count)
            seen.update((group["name"], group["lastEvaluation"]) for group in groups)
            continue
        for group in groups:
            key = group["name"], group["lastEvaluation"]
            if key not in seen and group["evaluationTime"] > 0:
                seen.add(key)
                took.setdefault(group["name"], []).append(group["evaluationTime"])
    return took


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--accounts", type=int, default=10_000)
    parser.add_argument("--alarming", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--each", action="store_true", help="print how long each rule took in its last evaluation, too")
    arguments = parser.parse_args()
    if measure(arguments.accounts, arguments.alarming, arguments.rounds, arguments.each) > 3:
        raise SystemExit("more than a tenth of the evaluation interval of 30 s")

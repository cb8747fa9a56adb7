"""Runs an image as a container engine would, for the tests: with a read-only root, as the image's
user, in its own network namespace, so that its fixed ports are free.

    unshare --mount --net --propagation private -- run_image.py ROOT [ARGUMENT]...

ROOT is where the image is mounted; standard input is the image's configuration as JSON. Waits until
the daemon is healthy, scrapes it, stops it, and prints the result as JSON.
"""

import json
import os
import subprocess
import sys
import time
import urllib.request

PATIENCE = 60  # seconds until a failure

root, arguments = sys.argv[1], sys.argv[2:]
config = json.load(sys.stdin)
user, group = config["User"].split(":")
environment = dict(variable.split("=", 1) for variable in config["Env"])


def run(*command):
    subprocess.run(command, check=True)


# As a container engine does: mount /proc and the volumes, and make all else read-only.
os.makedirs(f"{root}/proc", exist_ok=True)
run("mount", "--bind", root, root)
run("mount", "--rbind", "/proc", f"{root}/proc")
for volume in config["Volumes"]:
    run("mount", "-t", "tmpfs", "-o", f"uid={user},gid={group},mode=700", "tmpfs", root + volume)
run("mount", "-o", "remount,bind,ro", root)
run("ip", "link", "set", "lo", "up")


def inside(command, **options):
    """Starts a command as the image's user, with its root, working folder and environment."""
    enter = ["unshare", f"--root={root}", f"--wd={config['WorkingDir']}"]
    options.setdefault("stdout", subprocess.DEVNULL)
    enter += [f"--setgid={group}", f"--setuid={user}", "--"]
    return subprocess.Popen(enter + command, env=environment, **options)


daemon = inside(config["Entrypoint"] + arguments, stderr=subprocess.PIPE, text=True)
# The image's own health check; CMD means that it runs without a shell.
kind, *check = config["Healthcheck"]["Test"]
assert kind == "CMD", kind
try:
    deadline = time.monotonic() + PATIENCE
    while inside(check).wait(PATIENCE) != 0:
        if daemon.poll() is not None or time.monotonic() > deadline:
            sys.exit("never healthy")
        time.sleep(0.05)
    port = next(iter(config["ExposedPorts"])).split("/")[0]
    metrics = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=PATIENCE)
    with open(f"/proc/{daemon.pid}/status", encoding="ascii") as file:
        status = dict(line.rstrip("\n").split(":\t", 1) for line in file)
    result = {"metrics": metrics.read().decode(), "uid": status["Uid"], "capabilities": status["CapEff"]}
except BaseException:
    daemon.kill()
    sys.stderr.write(daemon.communicate()[1])
    raise
daemon.terminate()
try:
    log = daemon.communicate(timeout=PATIENCE)[1]
except subprocess.TimeoutExpired:
    daemon.kill()
    raise
result |= {"exit": daemon.returncode, "log": log}
result["written"] = sorted(name for volume in config["Volumes"] for name in os.listdir(root + volume))
json.dump(result, sys.stdout)

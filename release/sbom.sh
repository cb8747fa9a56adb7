#!/usr/bin/env bash
# Writes the SBOM: the crates that are in the binary, in CycloneDX's format.
#   release/sbom.sh WORK FILE
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
work=$1 file=$2

# cargo-cyclonedx writes beside each Cargo.toml.
mkdir "$work/source"
git archive HEAD | tar --extract --directory "$work/source"
cargo cyclonedx --quiet --format json --spec-version 1.5 --target x86_64-unknown-linux-musl \
    --manifest-path "$work/source/Cargo.toml"
# It names our own crates by their folder.
sed "s|path+file://$work/source|path+file:///aws-root-exporter|g" "$work/source/aws-root-exporter.cdx.json" >"$file"

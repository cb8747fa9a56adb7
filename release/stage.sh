#!/usr/bin/env bash
# Lays out what a package installs, in FOLDER: the binary, manual pages, completions, units and the
# configuration. Cargo.toml names these files for cargo-deb and cargo-generate-rpm.
#   release/stage.sh FOLDER BINARY RUNNABLE   RUNNABLE: the same program for this machine, which prints files
# The environment has SOURCE_DATE_EPOCH.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
folder=$1 binary=$2 runnable=$3

rm -rf "$folder"
install -D -m 0755 "$binary" "$folder/aws-root-exporter"
install -m 0644 config.toml CHANGELOG.md LICENSE "$folder"

mkdir -p "$folder/man" "$folder/completions" "$folder/units"
"$runnable" man >"$folder/man/aws-root-exporter.1"
for command in $("$runnable" --help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p'); do
    "$runnable" man "$command" >"$folder/man/aws-root-exporter-$command.1"
done
for shell in bash fish zsh; do
    "$runnable" completions "$shell" >"$folder/completions/$shell"
done

# /usr/local is for what does not come in a package.
for unit in deploy/systemd/*.{service,socket}; do
    sed 's|/usr/local/bin/|/usr/bin/|' "$unit" >"$folder/units/$(basename "$unit")"
done

# cargo-deb compresses them itself.
gzip -9 --no-name --keep "$folder"/man/*.1

# An RPM has the times of its files.
find "$folder" -type f -exec touch --date="@$SOURCE_DATE_EPOCH" {} +

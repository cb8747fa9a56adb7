#!/usr/bin/env bash
# Compiles the static binary for TARGET, with the list of its crates in it (cargo-auditable), and prints
# its path.
#   release/compile.sh TARGET
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
target=$1
# C code that writes down when it was compiled (mimalloc does) gets the same time at every commit.
export SOURCE_DATE_EPOCH=0
export AWS_ROOT_EXPORTER_REVISION=${AWS_ROOT_EXPORTER_REVISION:-$(git rev-parse --short=12 HEAD)}

# Another architecture: zig, a package of PyPI, compiles C for it, and Rust's own linker links.
if [ "${target%%-*}" != "$(uname -m)" ]; then
    variable=${target//-/_}
    export "CC_$variable=$PWD/release/zig-cc" "AR_$variable=$PWD/release/zig-ar" "ZIG_TARGET=${target%%-*}-linux-musl"
    export "CARGO_TARGET_$(tr a-z A-Z <<<"$variable")_LINKER=rust-lld"
fi
cargo auditable build --profile dist --locked --bin aws-root-exporter --target "$target" \
    --message-format=json-render-diagnostics |
    sed -n 's/.*"executable":"\([^"]*\)".*/\1/p'

#!/usr/bin/env bash
# Builds the image of several architectures around binaries that are compiled already: the runtime stage of
# the Dockerfile. WORK/image becomes its folder in OCI's layout.
#   release/image.sh WORK VERSION ARCHITECTURE=BINARY...   ARCHITECTURE: x86_64 or aarch64
# The environment has REVISION and SOURCE_DATE_EPOCH, the time of everything in the image.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
work=$1 version=$2
shift 2

# Storage of its own: nothing of this machine's can get into the image.
buildah() { command buildah --storage-driver vfs --root "$work/storage" --runroot "$work/run" "$@"; }

for pair in "$@"; do
    stage=$work/build-${pair%%=*}
    case ${pair%%=*} in
    x86_64) arch=amd64 ;;
    aarch64) arch=arm64 ;;
    *) echo "no image for ${pair%%=*}" >&2; exit 1 ;;
    esac
    install -D -m 0755 "${pair#*=}" "$stage/out/usr/bin/aws-root-exporter"
    install -D -m 0644 /etc/ssl/certs/ca-certificates.crt "$stage/out/etc/ssl/certs/ca-certificates.crt"
    install -d -m 0755 "$stage/out/etc/aws-root-exporter"
    install -d -m 0700 "$stage/state"
    buildah build --quiet --isolation chroot --format docker --timestamp "$SOURCE_DATE_EPOCH" \
        --arch "$arch" --target runtime --manifest release --build-context "build=$stage" \
        --build-arg "VERSION=$version" --build-arg "REVISION=${REVISION:0:12}" \
        --file Dockerfile "$stage" >/dev/null
done
buildah manifest push --quiet --all --format v2s2 release "oci:$work/image:aws-root-exporter:$version" >/dev/null
python3 release/oci.py "$work/image"

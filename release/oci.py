"""Rewrites a folder in OCI's layout, with images that buildah wrote in Docker's format: without the names
of the containers that built them, which are random, and with OCI's media types. OCI's format has no field
for a health check, so buildah drops it there; Docker reads it from an image of either format.

    release/oci.py FOLDER
"""

import hashlib
import json
import os
import sys

TYPES = {
    "application/vnd.docker.distribution.manifest.list.v2+json": "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json": "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.container.image.v1+json": "application/vnd.oci.image.config.v1+json",
    "application/vnd.docker.image.rootfs.diff.tar.gzip": "application/vnd.oci.image.layer.v1.tar+gzip",
}

folder = sys.argv[1]


def blob(digest):
    return os.path.join(folder, "blobs", *digest.split(":"))


def rewrite(descriptor):
    """Rewrites what a descriptor names, and all below it."""
    kind = descriptor["mediaType"] = TYPES[descriptor["mediaType"]]
    if "layer" in kind:
        return
    with open(blob(descriptor["digest"]), "rb") as file:
        content = json.load(file)
    os.remove(blob(descriptor["digest"]))
    if "mediaType" in content:
        content["mediaType"] = kind
    for below in [*content.get("manifests", []), *content.get("layers", [])]:
        rewrite(below)
    if "layers" in content:
        rewrite(content["config"])
    else:
        for field in ("container", "container_config", "docker_version", "id"):
            content.pop(field, None)
        content.get("config", {}).pop("Hostname", None)
        content.get("config", {}).get("Labels", {}).pop("io.buildah.version", None)
    data = json.dumps(content, sort_keys=True).encode()
    descriptor["digest"] = f"sha256:{hashlib.sha256(data).hexdigest()}"
    descriptor["size"] = len(data)
    with open(blob(descriptor["digest"]), "wb") as file:
        file.write(data)


index = os.path.join(folder, "index.json")
with open(index, encoding="utf-8") as file:
    content = json.load(file)
for descriptor in content["manifests"]:
    rewrite(descriptor)
with open(index, "w", encoding="utf-8") as file:
    json.dump(content, file, sort_keys=True)

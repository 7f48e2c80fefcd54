"""Base images that the tests make: a few files instead of a distribution."""

from __future__ import annotations

import gzip
import hashlib
import json
import tarfile
from collections.abc import Callable, Mapping, Sequence
from io import BytesIO
from typing import Any

import httpx2

GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
Tree = Mapping[str, "bytes | str | None"]
"""Paths to bytes, to the target of a symbolic link, or to nothing: a directory that everybody may write to."""

DEBIAN: Tree = {
    "etc/passwd": b"root:x:0:0:root:/root:/bin/sh\n",
    "lib": "usr/lib",
    "usr/bin/python3": "python3.11",
    "usr/bin/python3.11": b"\x7fELF",
    "usr/lib/x86_64-linux-gnu/libc.so.6": b"\0GNU C Library (Debian GLIBC 2.36-9) stable release version 2.36.\n\0",
}
RUN = {"Env": ["PATH=/usr/local/bin:/usr/bin:/bin", "PYTHONPATH=/base/lib"], "Entrypoint": ["/entry"], "Cmd": ["python3"]}


def archive(tree: Tree) -> bytes:
    out = BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path, content in tree.items():
            info = tarfile.TarInfo(path)
            if isinstance(content, str):
                info.type, info.linkname = tarfile.SYMTYPE, content
                tar.addfile(info)
            elif content is None:
                info.type, info.mode = tarfile.DIRTYPE, 0o1777
                tar.addfile(info)
            else:
                info.size, info.mode = len(content), 0o755
                tar.addfile(info, BytesIO(content))
    return out.getvalue()


def digest_of(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def push_blob(url: str, repository: str, data: bytes) -> str:
    digest = digest_of(data)
    begun = httpx2.post(f"{url}/v2/{repository}/blobs/uploads/")
    location = httpx2.URL(url).join(begun.headers["location"]).copy_merge_params({"digest": digest})
    assert httpx2.put(location, content=data).status_code == 201
    return digest


def push_manifest(url: str, repository: str, tag: str, document: Mapping[str, Any]) -> str:
    data = json.dumps(document).encode()
    answer = httpx2.put(f"{url}/v2/{repository}/manifests/{tag}", content=data, headers={"content-type": document["mediaType"]})
    assert answer.status_code == 201, answer.text
    return digest_of(data)


def in_members(data: bytes, mtime: int) -> bytes:
    """An archive as eStargz has it: each block of it, so each header and each file, is a gzip member of its own."""
    return b"".join(gzip.compress(data[start : start + 512], mtime=mtime) for start in range(0, len(data), 512))


def push_base(
    url: str,
    repository: str = "library/python",
    tag: str = "3.11",
    trees: Sequence[Tree] = (DEBIAN,),
    run: Mapping[str, Any] = RUN,
    media_type: str = GZIP,
    platform: tuple[str, str] = ("linux", "amd64"),
    compress: Callable[..., bytes] = gzip.compress,
) -> str:
    """Push an image of these layers; its digest."""
    plain = [archive(tree) for tree in trees]
    blobs = [compress(data, mtime=0) if media_type.endswith("gzip") else data for data in plain]
    config = json.dumps(
        {
            "os": platform[0],
            "architecture": platform[1],
            "config": dict(run),
            "container_config": {"Hostname": "x"},
            "rootfs": {"type": "layers", "diff_ids": [digest_of(data) for data in plain]},
            "history": [{"created_by": "base"} for _ in plain],
        }
    ).encode()
    layers = [{"mediaType": media_type, "digest": push_blob(url, repository, b), "size": len(b)} for b in blobs]
    described = {
        "mediaType": "application/vnd.oci.image.config.v1+json",
        "digest": push_blob(url, repository, config),
        "size": len(config),
    }
    document = {"schemaVersion": 2, "mediaType": MANIFEST, "config": described, "layers": layers}
    return push_manifest(url, repository, tag, document)

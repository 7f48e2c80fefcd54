"""Many images in one archive, for real runtimes to unpack, and what each of their layers has put on the disk."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

_LAYER = "application/vnd.oci.image.layer.v1.tar"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_OPAQUE = "trusted.overlay.opaque"

Found = tuple[int, tuple[int, int], "bytes | str | None"]
"""Type and mode, owner, and bytes or link."""


@dataclass(frozen=True)
class LayerBytes:
    data: bytes
    diff_id: str
    compressed: bool

    @property
    def digest(self) -> str:
        return f"sha256:{hashlib.sha256(self.data).hexdigest()}"


def plain(data: bytes) -> LayerBytes:
    return LayerBytes(data, f"sha256:{hashlib.sha256(data).hexdigest()}", False)


def write_archive(path: Path, images: Mapping[str, Sequence[LayerBytes]]) -> None:
    """Images by name, in the form that containerd imports and in the one that Docker loads."""
    index, saved = [], []
    files = {"oci-layout": b'{"imageLayoutVersion": "1.0.0"}'}
    for name, layers in images.items():
        rootfs = {"type": "layers", "diff_ids": [layer.diff_id for layer in layers]}
        config = json.dumps({"os": "linux", "architecture": "amd64", "config": {}, "rootfs": rootfs}).encode()
        described = [_described(layer.data, _LAYER + ("+gzip" if layer.compressed else "")) for layer in layers]
        document = {"schemaVersion": 2, "mediaType": _MANIFEST, "config": _described(config, _CONFIG), "layers": described}
        manifest = json.dumps(document).encode()
        index.append({**_described(manifest, _MANIFEST), "annotations": {"io.containerd.image.name": name}})
        saved.append({"Config": _place(config), "RepoTags": [name], "Layers": [_place(layer.data) for layer in layers]})
        files |= {_place(data): data for data in (config, manifest, *(layer.data for layer in layers))}
    files["index.json"] = json.dumps({"schemaVersion": 2, "manifests": index}).encode()
    files["manifest.json"] = json.dumps(saved).encode()
    with tarfile.open(path, "w") as archive:
        for place, data in files.items():
            info = tarfile.TarInfo(place)
            info.size = len(data)
            archive.addfile(info, BytesIO(data))


def chain_of(layers: Sequence[LayerBytes]) -> str:
    """The name of these layers on top of each other (https://github.com/opencontainers/image-spec/blob/v1.1.0/config.md)."""
    chain = layers[0].diff_id
    for layer in layers[1:]:
        chain = f"sha256:{hashlib.sha256(f'{chain} {layer.diff_id}'.encode()).hexdigest()}"
    return chain


def tree_on(directory: Path) -> dict[str, Found]:
    """Everything below a directory of an unpacked layer, by path; names that are no UTF-8 are escaped."""
    found = {}
    for top, directories, files in os.walk(directory):
        for name in (*directories, *files):
            path = Path(top, name)
            found[str(path.relative_to(directory))] = _look(path)
    return found


def is_opaque(path: Path) -> bool:
    """Whether a directory hides what lies below it in lower layers."""
    return _OPAQUE in os.listxattr(path) and os.getxattr(path, _OPAQUE) == b"y"


def _look(path: Path) -> Found:
    status = path.lstat()
    content: bytes | str | None = None
    if stat.S_ISREG(status.st_mode):
        content = path.read_bytes()
    elif stat.S_ISLNK(status.st_mode):
        content = str(path.readlink())
    return status.st_mode, (status.st_uid, status.st_gid), content


def _described(data: bytes, media_type: str) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": f"sha256:{hashlib.sha256(data).hexdigest()}", "size": len(data)}


def _place(data: bytes) -> str:
    return f"blobs/sha256/{hashlib.sha256(data).hexdigest()}"

"""The two images that a cluster starts with: the one that holds a pod's namespaces open, and the base of Python endpoints.

Both are made here, because a test machine may reach no registry; they are kept in the cache and pushed to each cluster's own.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from tests.cluster.binaries import PAUSE, once, say
from tests.cluster.layout import cache

_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
_PATH = "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
# What nobody reads in a container.
_LEFT_OUT = (
    "var/cache/apt/",
    "var/lib/apt/lists/",
    "usr/share/doc/",
    "usr/share/man/",
    "usr/share/locale/",
    "dev/",
    "proc/",
    "sys/",
)


@dataclass(frozen=True)
class Image:
    """One layer and what to run of it. `made` changes whenever the layer is made in another way."""

    repository: str
    tag: str
    made: str
    config: Mapping[str, Any]

    @property
    def folder(self) -> Path:
        return cache() / "images" / f"{self.repository.replace('/', '-')}-{self.tag}-{self.made}"


def pause() -> Image:
    return Image("pause", "1", PAUSE.key, {"Entrypoint": ["/pause"]})


def base() -> Image:
    """Debian with its Python 3.11, in the shape of the official image: `python` is on the PATH."""
    env = [f"PATH={_PATH}", "LANG=C.UTF-8", "PYTHON_VERSION=3.11.2"]
    return Image("library/python", "3.11", "1", {"Env": env, "Cmd": ["python3"]})


def make_all() -> None:
    """Make what the cache does not hold."""
    with once("images"):
        if not pause().folder.exists():
            _keep(pause(), _pause_layer)
        _make_base()


def make_base() -> None:
    """Make the base alone, which needs no program built."""
    with once("images"):
        _make_base()


def _make_base() -> None:
    if not base().folder.exists():
        say("making the base image with Python 3.11 (debootstrap, about a minute)")
        _keep(base(), _debian_layer)


def push(image: Image, registry: str) -> None:
    """Push over plain HTTP (OCI distribution: blobs first, the manifest last)."""
    layer, config = image.folder / "layer.tar.gz", (image.folder / "config.json").read_bytes()
    with httpx2.Client(base_url=f"{registry}/v2/{image.repository}", timeout=120.0) as client:
        blobs = [_push_blob(client, config), _push_blob(client, layer.read_bytes())]
        manifest = {
            "schemaVersion": 2,
            "mediaType": _MANIFEST,
            "config": {"mediaType": _CONFIG, **blobs[0]},
            "layers": [{"mediaType": _LAYER, **blobs[1]}],
        }
        answer = client.put(f"/manifests/{image.tag}", json=manifest, headers={"Content-Type": _MANIFEST})
        answer.raise_for_status()


def _push_blob(client: httpx2.Client, data: bytes) -> dict[str, Any]:
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    if client.head(f"/blobs/{digest}").status_code != 200:
        place = httpx2.URL(client.post("/blobs/uploads/").raise_for_status().headers["Location"])
        answer = client.put(place.copy_merge_params({"digest": digest}), content=data)
        answer.raise_for_status()
    return {"digest": digest, "size": len(data)}


def _keep(image: Image, make_layer: Callable[[Path, Path], None]) -> None:
    image.folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache()) as directory:
        made = Path(directory) / "image"
        made.mkdir()
        plain = Path(directory) / "layer.tar"
        make_layer(plain, Path(directory))
        with plain.open("rb") as layer:
            unpacked = hashlib.file_digest(layer, "sha256").hexdigest()
            layer.seek(0)
            with gzip.open(made / "layer.tar.gz", "wb", compresslevel=1) as packed:
                while block := layer.read(1 << 20):
                    packed.write(block)
        (made / "config.json").write_text(json.dumps(_config(image, f"sha256:{unpacked}")))
        made.rename(image.folder)


def _config(image: Image, unpacked: str) -> dict[str, Any]:
    return {
        "architecture": "amd64",
        "os": "linux",
        "config": dict(image.config),
        "rootfs": {"type": "layers", "diff_ids": [unpacked]},
    }


def _pause_layer(layer: Path, directory: Path) -> None:
    with tarfile.open(layer, "w") as tar:
        program = PAUSE.path.read_bytes()
        entry = tarfile.TarInfo("pause")
        entry.size, entry.mode = len(program), 0o755
        tar.addfile(entry, io.BytesIO(program))


def _debian_layer(layer: Path, directory: Path) -> None:
    root = directory / "root"
    command = ["debootstrap", "--variant=minbase", "--include=python3,python3-pip", "bookworm", str(root)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    (root / "usr/local/bin/python").symlink_to("/usr/bin/python3")
    with tarfile.open(layer, "w") as tar:
        tar.add(root, arcname=".", filter=_kept)


def _kept(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    name = entry.name.removeprefix("./")
    return None if name.startswith(_LEFT_OUT) else entry

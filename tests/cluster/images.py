"""Images of the tests: what holds a pod's namespaces open, and the bases of Python endpoints.

They are made here, because a test machine may reach no registry; they are kept in the cache and pushed where they are needed.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from tests.cluster.binaries import PAUSE, once, say
from tests.cluster.layout import cache

_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
PATH = "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
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
    """One layer, maybe over another image's, and what to run of it. `made` changes whenever it is made in another way."""

    repository: str
    tag: str
    made: str
    config: Mapping[str, Any]
    below: Image | None = None

    @property
    def folder(self) -> Path:
        return cache() / "images" / f"{self.repository.replace('/', '-')}-{self.tag}-{self.made}"

    @property
    def layers(self) -> tuple[Path, ...]:
        """The packed layers, lowest first."""
        lower = self.below.layers if self.below else ()
        return (*lower, self.folder / "layer.tar.gz")

    @property
    def unpacked(self) -> tuple[str, ...]:
        """The layers' digests before they were packed."""
        return tuple(json.loads((self.folder / "config.json").read_text())["rootfs"]["diff_ids"])


def pause() -> Image:
    return Image("pause", "1", PAUSE.key, {"Entrypoint": ["/pause"]})


def base() -> Image:
    """Debian with its Python 3.11, in the shape of the official image: `python` is on the PATH."""
    env = [f"PATH={PATH}", "LANG=C.UTF-8", "PYTHON_VERSION=3.11.2"]
    return Image("library/python", "3.11", "1", {"Env": env, "Cmd": ["python3"]})


def make_all() -> None:
    """Make what the cache does not hold."""
    with once("images"):
        if not pause().folder.exists():
            keep(pause(), _pause_layer)
        _make_base()


def make_base() -> None:
    """Make the base alone, which needs no program built."""
    with once("images"):
        _make_base()


def _make_base() -> None:
    if not base().folder.exists():
        say("making the base image with Python 3.11 (debootstrap, about a minute)")
        keep(base(), _debian_layer)


def push(image: Image, registry: str) -> None:
    """Push over plain HTTP (OCI distribution: blobs first, the manifest last)."""
    config = (image.folder / "config.json").read_bytes()
    with httpx2.Client(base_url=f"{registry}/v2/{image.repository}", timeout=300.0) as client:
        blobs = [_push_blob(client, data) for data in (config, *(layer.read_bytes() for layer in image.layers))]
        manifest = {
            "schemaVersion": 2,
            "mediaType": _MANIFEST,
            "config": {"mediaType": _CONFIG, **blobs[0]},
            "layers": [{"mediaType": _LAYER, **blob} for blob in blobs[1:]],
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


def keep(image: Image, make_layer: Callable[[Path, Path], None]) -> None:
    """Make it by `make_layer(layer, directory)`, which writes a tar archive; the directory is for what it needs meanwhile."""
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
    lower = image.below.unpacked if image.below else ()
    return {
        "architecture": "amd64",
        "os": "linux",
        "config": dict(image.config),
        "rootfs": {"type": "layers", "diff_ids": [*lower, unpacked]},
    }


def _pause_layer(layer: Path, directory: Path) -> None:
    with tarfile.open(layer, "w") as tar:
        program = PAUSE.path.read_bytes()
        entry = tarfile.TarInfo("pause")
        entry.size, entry.mode = len(program), 0o755
        tar.addfile(entry, io.BytesIO(program))


def _debian_layer(layer: Path, directory: Path) -> None:
    pack_debian("bookworm", ("python3", "python3-pip"), layer, directory)


def pack_debian(release: str, packages: Sequence[str], layer: Path, directory: Path) -> None:
    """A release of Debian with its Python, which is also called `python` there."""
    root = directory / "root"
    command = ["debootstrap", "--variant=minbase", f"--include={','.join(packages)}", release, str(root)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    (root / "usr/local/bin/python").symlink_to("/usr/bin/python3")
    with tarfile.open(layer, "w") as tar:
        tar.add(root, arcname=".", filter=_kept)


def _kept(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    name = entry.name.removeprefix("./")
    return None if name.startswith(_LEFT_OUT) else entry

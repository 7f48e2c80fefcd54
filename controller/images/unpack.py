"""Puts an image's own layers on disk for the process runtime: each directory is complete or absent."""

from __future__ import annotations

import hashlib
import os
import shutil
import tarfile
from collections.abc import Callable, Mapping, Sequence
from io import BytesIO, RawIOBase
from pathlib import Path
from typing import Any, BinaryIO

from controller.images.compression import NOT_GZIP, uncompressed
from controller.images.dependencies import PACKAGES
from controller.images.durable import disk_errors, exclusive, rename_durably
from controller.images.files import cached
from controller.images.layers import LayerKind
from controller.images.layout import Layout
from controller.images.manifest import LAYER_KIND, LAYER_SOURCE
from controller.images.paths import layer_path
from controller.model.errors import Stalled, Transient
from controller.model.images import CODE_DIRECTORY, OWN_DIRECTORY
from controller.model.ports import UnpackedImage

_BLOCK = 1 << 20
Descriptor = Mapping[str, Any]


class Unpacker:
    """An `ImageUnpacker` over a layout and the cache of the builder that fills it.

    Code and own files lie below `<cache>/unpacked/<manifest>`, packages below `<cache>/unpacked/packages/<layer>`,
    shared by all images with that layer. Files that came by URL are hard links into the blob cache, where that works.
    """

    def __init__(self, layout: Path, cache: Path) -> None:
        self._layout = Layout(layout)
        self._cache = cache

    def unpack(self, reference: str) -> UnpackedImage:
        """The image of `<repository>@sha256:<digest>` on disk. Raises `Stalled` for one that is not there."""
        digest = reference.rpartition("@")[2]
        document = self._layout.read(digest)
        if document is None:
            raise Stalled(f"the image {reference} is not in {self._layout.root}", hint="it is built again by the next pass")
        layers: Sequence[Descriptor] = document["layers"]
        image = self._complete(unpacked_images(self._cache) / _digits(digest), lambda place: self._fill_image(place, layers))
        dependencies = next((layer for layer in layers if _kind(layer) is LayerKind.DEPENDENCIES), None)
        return UnpackedImage(image / "code", image / "own", self._packages(dependencies) if dependencies else None)

    def _packages(self, layer: Descriptor) -> Path:
        place = unpacked_packages(self._cache) / _digits(layer["digest"])
        return self._complete(place, lambda partial: self._extract(layer, PACKAGES, partial))

    def _complete(self, place: Path, fill: Callable[[Path], None]) -> Path:
        """`place`, filled under its lock beside it and then moved there."""
        if place.is_dir():
            return place
        with disk_errors(), exclusive(self._cache / "locks" / f"unpack-{place.name}"):
            if not place.is_dir():
                partial = place.with_name(f"{place.name}.partial")
                shutil.rmtree(partial, ignore_errors=True)
                partial.mkdir(parents=True)
                fill(partial)
                rename_durably(partial, place)
        return place

    def _fill_image(self, place: Path, layers: Sequence[Descriptor]) -> None:
        code, own = place / "code", place / "own"
        code.mkdir()
        own.mkdir()
        for layer in layers:
            if _kind(layer) is LayerKind.OWN:
                self._extract(layer, OWN_DIRECTORY, own)
            elif _kind(layer) in (LayerKind.CODE, LayerKind.FILE):
                self._extract(layer, CODE_DIRECTORY, code)

    def _extract(self, layer: Descriptor, directory: str, place: Path) -> None:
        """Write a layer's files that lie below the image's `directory` to `place`. Damaged bytes are never kept."""
        blob = self._layout.blob(layer["digest"])
        source = layer.get("annotations", {}).get(LAYER_SOURCE)
        extraction = _Extraction(directory, place, cached(self._cache, _digits(source)) if source else None)
        try:
            with blob.open("rb") as file:
                whole = extraction.run(file, compressed=layer["mediaType"].endswith("+gzip")) in (None, layer["digest"])
        except (FileNotFoundError, tarfile.TarError, *NOT_GZIP):
            whole = False
        if not whole:
            blob.unlink(missing_ok=True)
            raise Transient(f"the layer {layer['digest']} is missing or damaged on the disk", hint="it is built again")


def unpacked_images(cache: Path) -> Path:
    """Where the directories of images lie, by the digits of their manifests."""
    return cache / "unpacked"


def unpacked_packages(cache: Path) -> Path:
    """Where the directories of installed packages lie, by the digits of their layers."""
    return unpacked_images(cache) / "packages"


class _Hashed(RawIOBase):
    """A file that remembers the digest of what was read."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._hash = hashlib.sha256()

    def read(self, size: int = -1, /) -> bytes:
        data = self._file.read(size)
        self._hash.update(data)
        return data

    def finish(self) -> str:
        """Read what is left, and return the digest of all."""
        while self.read(_BLOCK):
            pass
        return f"sha256:{self._hash.hexdigest()}"


class _Extraction:
    """One archive on its way into a new directory that nobody else knows, so no link can lead anywhere else."""

    def __init__(self, directory: str, place: Path, linkable: Path | None) -> None:
        self._prefix = f"{directory.strip('/')}/"
        self._place = place
        self._linkable = linkable

    def run(self, file: BinaryIO, *, compressed: bool) -> str | None:
        """The digest of the whole archive; None where its file was linked, whose digest was checked when it came."""
        hashed = _Hashed(file)
        with tarfile.open(fileobj=uncompressed(hashed) if compressed else hashed, mode="r|") as archive:
            for member in archive:
                if member.isdir():
                    continue
                target = self._target(member)
                if self._link(target, member.size):
                    return None
                self._write(archive, member, target)
        return hashed.finish()

    def _target(self, member: tarfile.TarInfo) -> Path:
        if not member.isreg() or not member.name.startswith(self._prefix):
            raise Stalled(f"a layer holds {member.name!r}, which does not belong below /{self._prefix}")
        path = member.name.removeprefix(self._prefix)
        target = self._place.parent / layer_path(self._place.name, path)
        target.parent.mkdir(parents=True, exist_ok=True)
        return target

    def _link(self, target: Path, size: int) -> bool:
        """Share the blob cache's file; another file system, or too many links, means to copy."""
        try:
            if self._linkable is None or self._linkable.stat().st_size != size:
                return False
            target.hardlink_to(self._linkable)
        except OSError:
            return False
        return True

    def _write(self, archive: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> None:
        mode = 0o755 if member.mode & 0o100 else 0o644
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
        with os.fdopen(descriptor, "wb") as file, archive.extractfile(member) or BytesIO() as source:
            os.fchmod(descriptor, mode)
            shutil.copyfileobj(source, file, _BLOCK)


def _kind(layer: Descriptor) -> LayerKind | None:
    kind = layer.get("annotations", {}).get(LAYER_KIND)
    return LayerKind(kind) if kind in set(LayerKind) else None


def _digits(digest: str) -> str:
    return digest.rpartition(":")[2]

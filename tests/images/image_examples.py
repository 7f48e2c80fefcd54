"""A code tree in memory and the specifications that the tests build."""

from __future__ import annotations

import hashlib
import stat
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

from controller.images.builder import LayoutBuilder
from controller.images.host import host_base
from controller.images.unpack import Unpacker
from controller.model.declared import FileContent
from controller.model.images import ImageSpec
from controller.model.source import CodeTree, TreeEntry

LOCKED = """\
click==8.1.7 --hash=sha256:ae74fb96c20a0277a1d615f1e4d73c8414f5a98db8b799a7931d1582f3390c28
six==1.16.0 --hash=sha256:8abb2f1d86890a2dfb989f9a77cfcfd3e47c2a354b01111771326f8aa26e0254
"""


class MemoryCode:
    """A `CodeReader` over a dict of paths to bytes; `modes` are git's, 100644 where none is given."""

    def __init__(self, files: Mapping[str, bytes], modes: Mapping[str, str] | None = None) -> None:
        self.files = dict(files)
        self.modes = dict(modes or {})
        self.reads: list[str] = []

    def entries(self, code: CodeTree) -> Sequence[TreeEntry]:
        return [
            TreeEntry(path, self.modes.get(path, "100644"), blob_of(data), len(data))
            for path, data in sorted(self.files.items())
        ]

    def read(self, blob: str) -> Iterator[bytes]:
        self.reads.append(blob)
        data = next(data for data in self.files.values() if blob_of(data) == blob)
        for start in range(0, len(data), 1000):
            yield data[start : start + 1000]

    @property
    def tree(self) -> CodeTree:
        entries = self.entries(CodeTree("", "", ()))
        return CodeTree("memory", "", tuple((entry.path, entry.mode, entry.blob) for entry in entries))


CODE = MemoryCode(
    {"serve.py": b"print('hello')\n", "bin/start": b"#!/bin/sh\n", "models/net.bin": bytes(range(256)) * 5000},
    {"bin/start": "100755"},
)


def blob_of(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def spec_of(code: MemoryCode = CODE, **changes: Any) -> ImageSpec:
    spec = ImageSpec("registry.example.com/ruksi/mnist", host_base(), "linux/amd64", code.tree, "python serve.py", 8000)
    return replace(spec, **changes)


def builder_at(root: Path, **options: Any) -> LayoutBuilder:
    return LayoutBuilder(root / "layout", root / "cache", **options)


def unpacker_at(root: Path) -> Unpacker:
    return Unpacker(root / "layout", root / "cache")


def in_code(path: str, code: MemoryCode = CODE) -> FileContent:
    return FileContent(path=path, blob=blob_of(code.files[path]))


def on_disk(path: Path) -> FileContent:
    return FileContent(url=path.as_uri(), sha256=hashlib.sha256(path.read_bytes()).hexdigest())


def silent(what: str, done: int, total: int) -> None:
    """A progress that nobody watches."""


def members_of(archive: bytes) -> list[tarfile.TarInfo]:
    with tarfile.open(fileobj=BytesIO(archive)) as tar:
        return tar.getmembers()


def tree_of(directory: Path) -> dict[str, tuple[str, bytes]]:
    """Every file below a directory: mode and bytes by path."""
    found = {}
    for path in sorted(directory.rglob("*")):
        status = path.lstat()
        if not stat.S_ISDIR(status.st_mode):
            found[path.relative_to(directory).as_posix()] = (stat.filemode(status.st_mode), path.read_bytes())
    return found

"""Git objects as no git would write them: any name and any mode, also twice in one directory."""

from __future__ import annotations

import hashlib
import subprocess
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path

from controller.model.source import CodeTree
from controller.source.code import GitCode
from controller.source.git import Git
from controller.source.objects import ObjectReader

RawFile = tuple[tuple[bytes, ...], str, bytes]
"""The names on the way to a file, its mode, and its bytes."""


class RawRepository:
    """A bare repository; `code` reads it as a version's code is read."""

    def __init__(self, directory: Path) -> None:
        subprocess.run(["git", "init", "--quiet", "--bare", str(directory)], check=True)
        self._objects = directory / "objects"
        self.code = GitCode(ObjectReader(Git(directory)))

    def tree(self, files: Sequence[RawFile]) -> CodeTree:
        """The code that consists of these files, in their order."""
        entries = tuple((name.decode("utf-8", "surrogateescape"), mode, entry) for mode, name, entry in self._entries(files))
        return CodeTree("raw", "", entries)

    def _entries(self, files: Sequence[RawFile]) -> Iterable[tuple[str, bytes, str]]:
        below: dict[bytes, list[RawFile]] = {}
        for (name, *rest), mode, data in files:
            if rest:
                below.setdefault(name, []).append((tuple(rest), mode, data))
            else:
                yield mode, name, self._write("blob", data)
        for name, inside in below.items():
            lines = [f"{m.lstrip('0')} ".encode() + n + b"\0" + bytes.fromhex(e) for m, n, e in self._entries(inside)]
            yield "040000", name, self._write("tree", b"".join(lines))

    def _write(self, kind: str, data: bytes) -> str:
        whole = f"{kind} {len(data)}\0".encode() + data
        digits = hashlib.sha1(whole).hexdigest()
        path = self._objects / digits[:2] / digits[2:]
        if not path.exists():
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(zlib.compress(whole, 1))
        return digits

"""Code that is looked at before it is written, and again at the next commit: small files are read from git once."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence

from controller.model.ports import CodeReader
from controller.model.source import CodeTree, TreeEntry

SMALL = 64 << 10
"""Bytes of the largest file that is kept."""

ALL = 8 << 20
"""Bytes that are kept at most; those that were needed last stay."""


class SmallFiles:
    """Bytes of small files by git's id of them. Safe for threads."""

    def __init__(self, limit: int = ALL) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._size = 0

    def get(self, blob: str) -> bytes | None:
        """The bytes, where they are known; they were needed last now."""
        with self._lock:
            if blob in self._kept:
                self._kept.move_to_end(blob)
            return self._kept.get(blob)

    def keep(self, blob: str, data: bytes) -> None:
        """Keep these too, and forget what was not needed for longest."""
        with self._lock:
            if blob in self._kept:
                return
            self._kept[blob] = data
            self._size += len(data)
            while self._size > self._limit:
                self._size -= len(self._kept.popitem(last=False)[1])


class ReadOnce:
    """A `CodeReader` over another one, which is not asked for what `small` knows."""

    def __init__(self, code: CodeReader, small: SmallFiles) -> None:
        self._code = code
        self._small = small

    def entries(self, code: CodeTree) -> Sequence[TreeEntry]:
        """As the other one says."""
        return self._code.entries(code)

    def read(self, blob: str) -> Iterator[bytes]:
        """One blob's bytes; in one block where they are kept."""
        kept = self._small.get(blob)
        if kept is not None:
            yield kept
            return
        gathered: bytearray | None = bytearray()
        for block in self._code.read(blob):
            yield block
            if gathered is not None:
                gathered = gathered + block if len(gathered) + len(block) <= SMALL else None
        if gathered is not None:
            self._small.keep(blob, bytes(gathered))

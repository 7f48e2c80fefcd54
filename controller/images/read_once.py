"""Code that is looked at before it is written: small files are read from git once for both."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from controller.model.ports import CodeReader
from controller.model.source import CodeTree, TreeEntry

_SMALL = 64 << 10
_ALL = 8 << 20
"""Bytes that are kept at most; what comes later is read again."""


class ReadOnce:
    """A `CodeReader` over another one, for as long as one layer is made."""

    def __init__(self, code: CodeReader) -> None:
        self._code = code
        self._kept: dict[str, bytes] = {}
        self._left = _ALL

    def entries(self, code: CodeTree) -> Sequence[TreeEntry]:
        """As the other one says."""
        return self._code.entries(code)

    def read(self, blob: str) -> Iterator[bytes]:
        """One blob's bytes; in one block where they are kept."""
        kept = self._kept.get(blob)
        if kept is not None:
            yield kept
            return
        gathered: bytearray | None = bytearray()
        for block in self._code.read(blob):
            yield block
            if gathered is not None:
                gathered = gathered + block if len(gathered) + len(block) <= min(_SMALL, self._left) else None
        if gathered is not None:
            self._kept[blob] = bytes(gathered)
            self._left -= len(gathered)

"""Code that is looked at before it is written, and again at the next commit: small files are read from git once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from controller.images.archive import SMALL
from controller.images.remembered import Remembered
from controller.model.ports import CodeReader
from controller.model.source import CodeTree, TreeEntry


class ReadOnce:
    """A `CodeReader` over another one, which is not asked for what `small` knows."""

    def __init__(self, code: CodeReader, small: Remembered[str]) -> None:
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

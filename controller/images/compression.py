"""gzip whose bytes follow from what is in it, and which is not made twice of the same file.

A small file of the code is a gzip member of its own: readers take a row of members for one file (RFC 1952, section 2.2),
and container runtimes have met such layers before (eStargz:
https://github.com/containerd/stargz-snapshotter/blob/v0.15.1/docs/estargz.md). So a commit that changes one file of a
thousand compresses one file.
"""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Iterable, Iterator
from io import BytesIO, RawIOBase
from itertools import groupby

from controller.images.archive import FileId, Piece, blocks_of, joined
from controller.images.layers import Sink
from controller.images.remembered import LIMIT, Remembered

NOT_GZIP = (gzip.BadGzipFile, zlib.error, EOFError)

_LEVEL = 1


class Gzip:
    """Compresses archives, and remembers members of files, `limit` bytes of them, for the next ones. Safe for threads."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._members = Remembered[FileId](limit)

    def write(self, pieces: Iterable[Piece], sink: Sink) -> str:
        """Write the archive and return the digest of its uncompressed form."""
        plain = hashlib.sha256()
        for file, together in groupby(pieces, lambda piece: piece.file):
            blocks = blocks_of(together)
            if file is None:
                _write_member(_noted(joined(blocks), plain), sink)
            else:
                data = b"".join(blocks)
                plain.update(data)
                sink.write(self._member(file, data))
        return f"sha256:{plain.hexdigest()}"

    def _member(self, file: FileId, data: bytes) -> bytes:
        member = self._members.get(file)
        if member is None:
            out = BytesIO()
            _write_member([data], out)
            member = out.getvalue()
            self._members.keep(file, member)
        return member


def uncompressed(file: RawIOBase) -> gzip.GzipFile:
    """The archive in all members of a file that is read from its beginning to its end; `tarfile` by itself ends with the first.

    Reading raises one of `NOT_GZIP` where there is none, or not all of it.
    """
    return gzip.GzipFile(fileobj=file, mode="rb")


def _noted(blocks: Iterable[bytes], plain: hashlib._Hash) -> Iterator[bytes]:
    for block in blocks:
        plain.update(block)
        yield block


def _write_member(blocks: Iterable[bytes], sink: Sink) -> None:
    """One member, which names no time and no file."""
    with gzip.GzipFile(filename="", mode="wb", compresslevel=_LEVEL, fileobj=sink, mtime=0) as stream:
        for block in blocks:
            stream.write(block)

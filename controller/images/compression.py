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
from dataclasses import dataclass
from io import BytesIO, RawIOBase
from itertools import chain, groupby

from controller.images.archive import Name, Piece, joined
from controller.images.layers import Sink
from controller.images.recent import Recent

NOT_GZIP = (gzip.BadGzipFile, zlib.error, EOFError)

_LEVEL = 1


@dataclass(frozen=True, slots=True)
class _Kept:
    plain: bytes
    member: bytes

    def __len__(self) -> int:
        return len(self.plain) + len(self.member)


class Gzip:
    """Compresses archives, and remembers the members of the files that were in the last ones. Safe for threads."""

    def __init__(self) -> None:
        self._kept = Recent[Name, _Kept]()

    def write(self, pieces: Iterable[Piece], sink: Sink) -> str:
        """Write the archive and return the digest of its uncompressed form."""
        plain = hashlib.sha256()
        for is_named, together in groupby(pieces, lambda piece: piece.name is not None):
            if is_named:
                for kept in map(self._member, together):
                    plain.update(kept.plain)
                    sink.write(kept.member)
            else:
                blocks = chain.from_iterable(piece.blocks() for piece in together)
                _write_member(_noted(joined(blocks), plain), sink)
        return f"sha256:{plain.hexdigest()}"

    def _member(self, piece: Piece) -> _Kept:
        """The member of a file, whose bytes are read only if it was in none of the last archives."""
        kept = self._kept.get(piece.name) if piece.name else None
        if kept is None:
            data, out = b"".join(piece.blocks()), BytesIO()
            _write_member([data], out)
            kept = _Kept(data, out.getvalue())
            if piece.name:
                self._kept.keep(piece.name, kept)
        return kept


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

"""Tar archives whose bytes follow from their content alone, whoever writes them, when and where."""

from __future__ import annotations

import tarfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain

from controller.images.layers import ROOT, Contents, Member
from controller.images.paths import require_disjoint
from controller.model.errors import Stalled

MODIFIED = 315_619_200
"""1980-01-02T00:00:00Z, in seconds: `zipfile` refuses what is before 1980, and the first of January is that west of UTC."""

CREATED = "1980-01-02T00:00:00Z"
SMALL = 64 << 10
"""Bytes of the largest file that is taken in one piece."""

_PLAIN_NAME = 100
_PLAIN_SIZE = 8 << 30
"""From here on a header needs more than its one block: a PAX record of the name or the size."""


FileId = tuple[str, str, bool, tuple[int, int]]
"""Path, name of the content, whether it is executable, and owner: all that a file's part of an archive depends on."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of an archive, of `size` bytes: a small file with a name for its content (`file`), or anything else (None)."""

    size: int
    blocks: Callable[[], Iterator[bytes]]
    file: FileId | None = None


def tar_blocks(contents: Contents) -> Iterator[bytes]:
    """The archive of `tar_pieces`, block by block."""
    return blocks_of(tar_pieces(contents))


def blocks_of(pieces: Iterable[Piece]) -> Iterator[bytes]:
    """All of their bytes; each piece is read when its turn comes."""
    return chain.from_iterable(piece.blocks() for piece in pieces)


def tar_pieces(contents: Contents) -> Iterator[Piece]:
    """The archive: names sorted, one owner, one time, modes 0644 or 0755, PAX. Constant memory.

    Each small file whose content has a name is a piece of its own. Raises `Stalled` for paths that collide and, while its
    piece is read, for a file that yields more or fewer bytes than it said.
    """
    members = sorted(contents.members, key=lambda m: m.path)
    require_disjoint(m.path for m in members)
    written = 0
    for piece in chain([_directories(contents, members)], (_file(member, contents.owner) for member in members)):
        written += piece.size
        yield piece
    end = bytes(tarfile.RECORDSIZE - written % tarfile.RECORDSIZE + tarfile.RECORDSIZE)
    yield Piece(len(end), lambda: iter((end,)))


def joined(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes, small blocks gathered to larger ones."""
    gathered = bytearray()
    for block in blocks:
        if gathered or len(block) < SMALL:
            gathered += block
        else:
            yield block
        if len(gathered) >= SMALL:
            yield bytes(gathered)
            gathered.clear()
    yield bytes(gathered)


def _directories(contents: Contents, members: Sequence[Member]) -> Piece:
    """The directories with an entry: runtimes make the others themselves, as root's."""
    top = contents.directory.strip("/")
    found = {top}
    if contents.owner != ROOT:
        for member in members:
            parts = member.path.removeprefix(f"{top}/").split("/")[:-1]
            found.update("/".join([top, *parts[: depth + 1]]) for depth in range(len(parts)))
    headers = [_header(path, 0, tarfile.DIRTYPE, contents.owner, executable=True) for path in sorted(found)]
    return Piece(sum(map(len, headers)), lambda: iter(headers))


def _file(member: Member, owner: tuple[int, int]) -> Piece:
    """A file's header, its bytes and what fills its last block."""
    header_size = tarfile.BLOCKSIZE if _is_plain(member.path, member.size) else len(_header_of(member, owner))
    size = header_size + member.size + -member.size % tarfile.BLOCKSIZE
    is_named = member.content and member.size <= SMALL
    file = (member.path, member.content, member.executable, owner) if is_named else None
    return Piece(size, lambda: _member_blocks(member, owner), file)


def _header_of(member: Member, owner: tuple[int, int]) -> bytes:
    return _header(member.path, member.size, tarfile.REGTYPE, owner, executable=member.executable)


def _is_plain(path: str, size: int) -> bool:
    """Whether a header of one block holds the path and the size."""
    return path.isascii() and len(path) <= _PLAIN_NAME and size < _PLAIN_SIZE


def _header(path: str, size: int, kind: bytes, owner: tuple[int, int], *, executable: bool) -> bytes:
    """A member's header as `tarfile` writes it; for most files a known one with another name and size."""
    if kind == tarfile.REGTYPE and _is_plain(path, size):
        return _filled(_template(kind, owner, executable=executable), path, size)
    return _described(path, size, kind, owner, executable=executable)


def _described(path: str, size: int, kind: bytes, owner: tuple[int, int], *, executable: bool) -> bytes:
    info = tarfile.TarInfo(path)
    info.uid, info.gid = owner
    info.type, info.size, info.mtime, info.mode = kind, size, MODIFIED, 0o755 if executable else 0o644
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "strict")


@lru_cache
def _template(kind: bytes, owner: tuple[int, int], *, executable: bool) -> bytes:
    return _described("", 0, kind, owner, executable=executable)


def _filled(template: bytes, path: str, size: int) -> bytes:
    """The ustar header (POSIX.1-1988) with this name, size and sum, which counts its own eight bytes as spaces."""
    begun = bytearray(template)
    begun[-512 : len(path) - 512] = path.encode()
    begun[-388:-376] = b"%011o\0" % size
    begun[-364:-356] = b" " * 8
    begun[-364:-357] = b"%06o\0" % sum(begun[-512:])
    return bytes(begun)


def _member_blocks(member: Member, owner: tuple[int, int]) -> Iterator[bytes]:
    yield _header_of(member, owner)
    size = 0
    for block in member.blocks():
        size += len(block)
        if size > member.size:
            break
        yield block
    if size != member.size:
        raise Stalled(f"/{member.path} changed while it was read: {size} bytes where {member.size} were announced")
    yield bytes(-size % tarfile.BLOCKSIZE)

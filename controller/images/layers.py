"""Layers: tar archives whose bytes follow from their content alone, whoever writes them, when and where."""

from __future__ import annotations

import gzip
import tarfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Protocol

from controller.images.paths import require_disjoint
from controller.images.secrets.finding import Finding
from controller.model.errors import Stalled

MODIFIED = 315_619_200
"""1980-01-02T00:00:00Z, in seconds: `zipfile` refuses what is before 1980, and the first of January is that west of UTC."""

ROOT = (0, 0)
"""The user and group that own what nobody else has to write."""

CREATED = "1980-01-02T00:00:00Z"
_COMPRESSION = 1
_BLOCK = 1 << 20
_JOINED = 64 << 10
_PLAIN_NAME = 100
_PLAIN_SIZE = 8 << 30
"""From here on a header needs more than its one block: a PAX record of the name or the size."""


class LayerKind(StrEnum):
    """What a layer holds; in the image's order, from what changes least to what changes most."""

    DEPENDENCIES = "dependencies"
    OWN = "own"
    FILE = "file"
    CODE = "code"


@dataclass(frozen=True, slots=True)
class Member:
    """One regular file of a layer: its path in the image without the first slash, and its bytes, `size` of them."""

    path: str
    size: int
    blocks: Callable[[], Iterator[bytes]]
    executable: bool = False


@dataclass(frozen=True, slots=True)
class Contents:
    """What is to be in a layer. `directory` is the only one with an entry of its own: others keep the base's modes.

    `owner` is the numeric user and group of all of it; another one than root also owns the directories of its files.
    `source` is the sha256 of a file layer's only file, where its bytes also lie in the blob cache.
    """

    directory: str
    members: Sequence[Member]
    compressed: bool = False
    source: str = ""
    distributions: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    owner: tuple[int, int] = ROOT
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer as images name it.

    `diff_id` is the digest of the uncompressed archive, `input` the hash of what it was made of. `findings` are the secrets
    in its files, whether they are allowed or not: what is, may change while the layer stays. `content` is the bytes of its
    files together, before compression; 0 where only the archive is known.
    """

    kind: LayerKind
    digest: str
    diff_id: str
    size: int
    compressed: bool = False
    source: str = ""
    distributions: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    input: str = ""
    content: int = 0

    @property
    def media_type(self) -> str:
        return f"application/vnd.oci.image.layer.v1.tar{'+gzip' if self.compressed else ''}"


class Sink(Protocol):
    """Where bytes go; a file or a digest."""

    def write(self, data: bytes, /) -> int: ...

    def flush(self) -> object: ...


def write_tar(contents: Contents, sink: Sink) -> None:
    """Write the archive of `tar_blocks` to a sink, in few calls however small its files are."""
    for block in joined(tar_blocks(contents)):
        sink.write(block)


def joined(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes, small blocks gathered to larger ones."""
    gathered = bytearray()
    for block in blocks:
        if gathered or len(block) < _JOINED:
            gathered += block
        else:
            yield block
        if len(gathered) >= _JOINED:
            yield bytes(gathered)
            gathered.clear()
    yield bytes(gathered)


def tar_blocks(contents: Contents) -> Iterator[bytes]:
    """The archive: names sorted, one owner, one time, modes 0644 or 0755, PAX. Constant memory.

    Raises `Stalled` for paths that collide and for a file that yields more or fewer bytes than it said.
    """
    members = sorted(contents.members, key=lambda m: m.path)
    require_disjoint(m.path for m in members)
    written = 0
    for directory in _directories(contents, members):
        header = _header(directory, 0, tarfile.DIRTYPE, contents.owner, executable=True)
        written += len(header)
        yield header
    for member in members:
        header = _header(member.path, member.size, tarfile.REGTYPE, contents.owner, executable=member.executable)
        written += len(header) + member.size + -member.size % tarfile.BLOCKSIZE
        yield header
        yield from _file_blocks(member)
    yield bytes(tarfile.RECORDSIZE - written % tarfile.RECORDSIZE + tarfile.RECORDSIZE)


def _directories(contents: Contents, members: Sequence[Member]) -> list[str]:
    """The directories with an entry: runtimes make the others themselves, as root's."""
    top = contents.directory.strip("/")
    found = {top}
    if contents.owner != ROOT:
        for member in members:
            parts = member.path.removeprefix(f"{top}/").split("/")[:-1]
            found.update("/".join([top, *parts[: depth + 1]]) for depth in range(len(parts)))
    return sorted(found)


def compressed(sink: Sink) -> gzip.GzipFile:
    """A gzip stream over `sink` whose bytes depend on nothing but what is written; close it, the sink stays open."""
    return gzip.GzipFile(filename="", mode="wb", compresslevel=_COMPRESSION, fileobj=sink, mtime=0)


def in_blocks(data: bytes) -> Callable[[], Iterator[bytes]]:
    """A member's bytes, where they are in memory already."""
    return lambda: (data[start : start + _BLOCK] for start in range(0, len(data), _BLOCK))


def _header(path: str, size: int, kind: bytes, owner: tuple[int, int], *, executable: bool) -> bytes:
    """A member's header as `tarfile` writes it; for most files a known one with another name and size."""
    if kind == tarfile.REGTYPE and path.isascii() and len(path) <= _PLAIN_NAME and size < _PLAIN_SIZE:
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


def _file_blocks(member: Member) -> Iterator[bytes]:
    size = 0
    for block in member.blocks():
        size += len(block)
        if size > member.size:
            break
        yield block
    if size != member.size:
        raise Stalled(f"/{member.path} changed while it was read: {size} bytes where {member.size} were announced")
    yield bytes(-size % tarfile.BLOCKSIZE)


def total_size(members: Iterable[Member]) -> int:
    """Bytes of all files, for progress."""
    return sum(member.size for member in members)

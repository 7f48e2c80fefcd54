"""Layers: what is to be in one, and what it is called once it is made."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from controller.images.secrets.finding import Finding

ROOT = (0, 0)
"""The user and group that own what nobody else has to write."""

_BLOCK = 1 << 20


class LayerKind(StrEnum):
    """What a layer holds; in the image's order, from what changes least to what changes most."""

    DEPENDENCIES = "dependencies"
    OWN = "own"
    FILE = "file"
    CODE = "code"


@dataclass(frozen=True, slots=True)
class Member:
    """One regular file of a layer: its path in the image without the first slash, and its bytes, `size` of them.

    `content` is a name that no other bytes have, such as git's id of them, or nothing.
    """

    path: str
    size: int
    blocks: Callable[[], Iterator[bytes]]
    executable: bool = False
    content: str = ""


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


def in_blocks(data: bytes) -> Callable[[], Iterator[bytes]]:
    """A member's bytes, where they are in memory already."""
    return lambda: (data[start : start + _BLOCK] for start in range(0, len(data), _BLOCK))


def total_size(members: Iterable[Member]) -> int:
    """Bytes of all files, for progress."""
    return sum(member.size for member in members)

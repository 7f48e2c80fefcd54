"""What the core needs from the world, as small Protocols. Every implementation passes the contract tests of its port."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from controller.model.identity import ObjectKey
from controller.model.images import Image, ImageSpec
from controller.model.objects import Object
from controller.model.source import CodeTree, TreeEntry

Labels = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Listing:
    """Objects at one moment; a watch from `resource_version` misses nothing that follows."""

    items: tuple[Object, ...]
    resource_version: str


class EventType(StrEnum):
    ADDED = "ADDED"
    MODIFIED = "MODIFIED"
    DELETED = "DELETED"


@dataclass(frozen=True, slots=True)
class WatchEvent:
    type: EventType
    object: Object


class ClusterClient(Protocol):
    """One target's objects. Errors of `model.errors`: Conflict, Forbidden, Unavailable; Stalled for a refused object."""

    def get(self, key: ObjectKey) -> Object | None:
        """The object, or None where it certainly is not; never None for "could not read"."""
        ...

    def list(self, kind: str, *, namespace: str | None = None, labels: Labels | None = None) -> Listing:
        """All objects of a kind, of one namespace or all, whose labels contain the given ones."""
        ...

    def apply(self, obj: Object, *, manager: str = "pointsman", dry_run: bool = False) -> Object:
        """Server-side apply with force: fields that this manager applied before and now omits go, others' fields stay.

        `metadata.resourceVersion`, where given, must be the current one, and `""` means that it must not exist: else Conflict.
        So must `metadata.uid`, where given: nothing is created then, however late the request arrives.
        """
        ...

    def delete(self, key: ObjectKey, *, uid: str | None = None, resource_version: str | None = None) -> None:
        """Delete if the preconditions hold, else Conflict; an object that is not there is deleted already."""
        ...

    def watch(
        self, kind: str, resource_version: str, *, labels: Labels | None = None, timeout: float = 290.0
    ) -> Iterator[WatchEvent]:
        """Changes after `resource_version`, in order, until `timeout` seconds passed. `Conflict` when that is too old."""
        ...


class GitRunner(Protocol):
    """Runs one git command safely: no prompt, no hooks, no system configuration, a timeout, an output cap."""

    def run(self, *arguments: str, stdin: bytes | None = None, timeout: float = 60.0) -> bytes:
        """Standard output. Raises `Transient` or `Stalled` with git's own message."""
        ...


class CodeReader(Protocol):
    """The bytes behind a code tree, straight from git's object store."""

    def entries(self, code: CodeTree) -> Sequence[TreeEntry]:
        """Every file of the tree, sorted by path; refuses what cannot be in an image (`Stalled`)."""
        ...

    def read(self, blob: str) -> Iterator[bytes]:
        """One blob's bytes in blocks of at most 1 MiB."""
        ...


@dataclass(frozen=True, slots=True)
class UnpackedImage:
    """An image's own layers on disk, shared and read-only: whoever runs it copies `code`.

    `code` holds the code directory with the declared files in place, `own` what lies in `images.OWN_DIRECTORY`,
    `packages` the installed dependencies (None without requirements), a directory per dependency layer digest.
    """

    code: Path
    own: Path
    packages: Path | None


class ImageUnpacker(Protocol):
    """Puts an image's layers on disk for the process runtime."""

    def unpack(self, reference: str) -> UnpackedImage:
        """Idempotent, safe to call twice at once, complete or absent. Raises `Stalled` for an image that is not there."""
        ...


Progress = Callable[[str, int, int], None]
"""(what, done, total) in bytes or steps; total 0 = unknown."""


class ImageBuilder(Protocol):
    """Makes images from specifications. `find` costs one look; `build` is idempotent and safe to run twice at once."""

    def find(self, spec: ImageSpec) -> Image | None:
        """The image, if it exists whole."""
        ...

    def build(self, spec: ImageSpec, code: CodeReader, progress: Progress) -> Image:
        """Build and publish; the tag comes last. Raises `Stalled` (a person must act) or `Transient`."""
        ...


class ImageShelf(Protocol):
    """The images of one project in its registry."""

    @property
    def name(self) -> str:
        """The repository, for people."""
        ...

    def tags(self) -> frozenset[str]:
        """All tags, complete; none where nothing was ever pushed."""
        ...

    def digests(self, tag: str) -> frozenset[str]:
        """What a tag leads to: an image, or an index and the images in it; nothing where it is gone."""
        ...

    def size(self, digest: str) -> int | None:
        """Bytes of the image's own layers, without its base's."""
        ...

    def delete(self, digest: str) -> None:
        """Delete the image with every tag that leads to it. Raises `Stalled` where the registry lets nobody, or not us."""
        ...


class HistoryStore(Protocol):
    """Disposable memory of what happened: for `history`, never for a decision."""

    def append(self, unit: str, event: Mapping[str, object]) -> None: ...

    def read(self, unit: str, limit: int = 50) -> Iterable[Mapping[str, object]]: ...

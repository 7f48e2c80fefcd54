"""What a piece of work asks of the world: requests to the target, programs started, files forced to the disk."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from controller.embedded.store import EmbeddedStore
from controller.model.identity import ObjectKey
from controller.model.objects import Object
from controller.model.ports import Labels, Listing

PROGRAMS = frozenset({"subprocess.Popen", "os.fork", "os.forkpty", "os.exec", "os.posix_spawn", "os.system"})
_counts: Counter[str] | None = None


class CountingStore(EmbeddedStore):
    """The embedded cluster's objects; remembers what was written and how often everything of a kind was listed."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.lists = 0
        self.written: list[Object] = []
        self.deleted: list[Object] = []

    def forget(self) -> None:
        """Begin to count anew."""
        self.lists, self.written, self.deleted = 0, [], []

    def list(self, kind: str, *, namespace: str | None = None, labels: Labels | None = None) -> Listing:
        self.lists += 1
        return super().list(kind, namespace=namespace, labels=labels)

    def apply(self, obj: Object, *, manager: str = "pointsman", dry_run: bool = False) -> Object:
        if manager == "pointsman":
            self.written.append(obj)
        return super().apply(obj, manager=manager, dry_run=dry_run)

    def delete(self, key: ObjectKey, *, uid: str | None = None, resource_version: str | None = None) -> None:
        if found := self.get(key):
            self.deleted.append(found)
        super().delete(key, uid=uid, resource_version=resource_version)


@contextmanager
def counted() -> Iterator[Counter[str]]:
    """Counts `programs`, `fsyncs` and opened `files` of this process until the end of the block."""
    global _counts  # noqa: PLW0603  an audit hook cannot be removed, so there is one for the whole process
    if _counts is None:
        sys.addaudithook(_hear)
    counts: Counter[str] = Counter()
    _counts = counts
    with mock.patch.multiple(os, fsync=_counting(os.fsync), fdatasync=_counting(os.fdatasync)):
        yield counts
    _counts = Counter()


def _hear(event: str, _arguments: tuple[Any, ...]) -> None:
    if _counts is not None:
        if event in PROGRAMS:
            _counts["programs"] += 1
        elif event == "open":
            _counts["files"] += 1


def _counting(call: Any) -> Any:
    def counting(descriptor: int) -> None:
        if _counts is not None:
            _counts["fsyncs"] += 1
        call(descriptor)

    return counting

"""Everything that happens to some kinds of objects of a namespace, in the order in which the API server wrote it."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Self

from controller.model.objects import Object
from controller.model.ports import ClusterClient

_LOOK = 2.0
"""Seconds after which a watch looks whether it is to end."""


class Timeline:
    """A context manager that watches. Resource versions of one API server are in order across kinds."""

    def __init__(self, client: ClusterClient, namespace: str, kinds: Sequence[str]) -> None:
        self._client = client
        self._namespace = namespace
        self._threads = [threading.Thread(target=self._follow, args=(kind,), name=f"timeline-{kind}") for kind in kinds]
        self._done = threading.Event()
        self._listed = threading.Semaphore(0)
        self._lock = threading.Lock()
        self._states: list[Object] = []

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        for _ in self._threads:
            self._listed.acquire()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._done.set()
        for thread in self._threads:
            thread.join()

    def states(self, kind: str, *, before: Object | None = None) -> Iterator[Object]:
        """Every state of a kind's objects, oldest first; `before` leaves out what was written after that object."""
        with self._lock:
            found = sorted(self._states, key=_order)
        return (obj for obj in found if obj["kind"] == kind and (before is None or _order(obj) <= _order(before)))

    def last(self, kind: str, name: str, before: Object) -> Object:
        """How the object `name` was at the moment when `before` was written."""
        *_, found = (obj for obj in self.states(kind, before=before) if obj["metadata"]["name"] == name)
        return found

    def _follow(self, kind: str) -> None:
        listing = self._client.list(kind, namespace=self._namespace)
        self._add(*listing.items)
        self._listed.release()
        version = listing.resource_version
        while not self._done.is_set():
            for event in self._client.watch(kind, version, timeout=_LOOK):
                version = event.object["metadata"]["resourceVersion"]
                self._add(event.object)

    def _add(self, *objects: Object) -> None:
        with self._lock:
            self._states += [obj for obj in objects if obj["metadata"].get("namespace") == self._namespace]


def _order(obj: Object) -> int:
    return int(obj["metadata"]["resourceVersion"])

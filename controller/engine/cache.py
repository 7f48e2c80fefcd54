"""Everything of ours on a target, kept current by one list-watch per kind: a pass asks the cluster for nothing."""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Self

from controller.model import labels
from controller.model.errors import Conflict, PointsmanError
from controller.model.identity import ObjectKey
from controller.model.objects import Object, key_of, label
from controller.model.ports import ClusterClient, EventType, WatchEvent

KINDS = (
    "Namespace",
    "ConfigMap",
    "ServiceAccount",
    "Deployment",
    "Service",
    "HorizontalPodAutoscaler",
    "PodDisruptionBudget",
    "HTTPRoute",
    "Pod",
    "EndpointSlice",
)
_OURS = {labels.MANAGED_BY: "pointsman"}
_PAUSE, _AGAIN = 1.0, 0.05
"""Seconds after an error, and before listing anew what was too old to watch from."""
_log = logging.getLogger(__name__)


class TargetCache:
    """Objects by unit hash. `on_change` is called with the hash of the unit that an event concerns.

    A reading that failed leaves what is known in place: "could not read" is never "is not there".
    """

    def __init__(self, client: ClusterClient, on_change: Callable[[str], None]) -> None:
        self._client = client
        self._on_change = on_change
        self._lock = threading.Lock()
        self._units: dict[str, dict[ObjectKey, Object]] = defaultdict(dict)
        self._listed: dict[str, threading.Event] = {kind: threading.Event() for kind in KINDS}
        self._stop = threading.Event()

    @classmethod
    def listed(cls, client: ClusterClient) -> Self:
        """Everything of ours, read once and not followed: for commands that look and go."""
        cache = cls(client, lambda _unit: None)
        for kind in KINDS:
            cache._list(kind)
        return cache

    def start(self) -> None:
        for kind in KINDS:
            threading.Thread(target=self._follow, args=(kind,), name=f"watch-{kind}", daemon=True).start()

    def stop(self) -> None:
        """Take in nothing more. A thread ends with its open watch, at the latest when the client is closed."""
        self._stop.set()

    def wait(self, timeout: float) -> bool:
        """Whether every kind has been listed once within so many seconds: before that no absence means anything."""
        deadline = time.monotonic() + timeout
        return all(event.wait(max(deadline - time.monotonic(), 0.0)) for event in self._listed.values())

    @property
    def complete(self) -> bool:
        return all(event.is_set() for event in self._listed.values())

    def of_unit(self, unit_hash: str) -> dict[ObjectKey, Object]:
        """What carries the unit's label, and the namespaces; a copy that nobody changes."""
        with self._lock:
            return {**self._units.get("", {}), **self._units.get(unit_hash, {})}

    def get(self, unit_hash: str, key: ObjectKey) -> Object | None:
        """One object that carries the unit's label."""
        with self._lock:
            return self._units.get(unit_hash, {}).get(key)

    def records(self) -> tuple[Object, ...]:
        """The ConfigMaps of all unit records."""
        with self._lock:
            found = [obj for objects in self._units.values() for key, obj in objects.items() if key.kind == "ConfigMap"]
        return tuple(obj for obj in found if label(obj, labels.RECORD))

    def note(self, obj: Object) -> None:
        """What a write of our own returned, unless the watch has brought something newer already."""
        with self._lock:
            objects = self._units[label(obj, labels.UNIT) or ""]
            known = objects.get(key_of(obj))
            if known is None or _age(known) <= _age(obj):
                objects[key_of(obj)] = obj

    def forget(self, key: ObjectKey) -> None:
        """What a delete of our own removed, ahead of the watch."""
        with self._lock:
            for objects in self._units.values():
                objects.pop(key, None)

    def _follow(self, kind: str) -> None:
        version = ""
        while not self._stop.is_set():
            try:
                version = version or self._list(kind)
                for event in self._client.watch(kind, version, labels=_OURS):
                    version = event.object["metadata"]["resourceVersion"]
                    self._take(event)
                    if self._stop.is_set():
                        return
            except Conflict:
                version = ""
                self._stop.wait(_AGAIN)
            except PointsmanError as error:
                _log.warning("watching %s: %s", kind, error)
                self._stop.wait(_PAUSE)
            except Exception:
                # A fault of ours: without this thread nothing of the kind would ever be seen again.
                _log.exception("watching %s", kind)
                version = ""
                self._stop.wait(_PAUSE)

    def _list(self, kind: str) -> str:
        listing = self._client.list(kind, labels=_OURS)
        fresh = {key_of(obj): obj for obj in listing.items}
        gone: list[Object] = []
        with self._lock:
            for objects in self._units.values():
                lost = [key for key in objects if key.kind == kind and key not in fresh]
                gone += [objects.pop(key) for key in lost]
            for key, obj in fresh.items():
                self._units[label(obj, labels.UNIT) or ""][key] = obj
        self._listed[kind].set()
        self._announce((*listing.items, *gone))
        return listing.resource_version

    def _take(self, event: WatchEvent) -> None:
        obj, key = event.object, key_of(event.object)
        with self._lock:
            objects = self._units[label(obj, labels.UNIT) or ""]
            known = objects.get(key)
            if known is not None and _age(known) > _age(obj):
                return  # what a write of our own returned is newer
            if event.type is EventType.DELETED:
                objects.pop(key, None)
            else:
                objects[key] = obj
        self._announce((obj,))

    def _announce(self, items: Iterable[Object]) -> None:
        for unit in {label(obj, labels.UNIT) for obj in items}:
            if unit:
                self._on_change(unit)


def _age(obj: Object) -> int:
    """Resource versions are decimal and comparable (Kubernetes KEP-5504); what is not counts as newest."""
    version = str(obj["metadata"].get("resourceVersion", ""))
    return int(version) if version.isdigit() else sys.maxsize

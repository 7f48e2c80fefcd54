"""Everything of ours on a target, kept current by one list-watch per kind: a pass asks the cluster for nothing."""

from __future__ import annotations

import logging
import random
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Self

from controller.engine.retry import backoff, told
from controller.engine.trimming import says_the_same, trimmed
from controller.model import labels
from controller.model.desired import TargetProfile
from controller.model.errors import Conflict, PointsmanError, Stalled
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
_OF_GATEWAYS = {
    "traefik.io/gateway-controller": ("Middleware",),
    "gateway.envoyproxy.io/gatewayclass-controller": ("SecurityPolicy",),
}
"""Kinds that only one class of gateway knows. Only deployments that declare `access` need them."""
_GUARDS = frozenset(kind for kinds in _OF_GATEWAYS.values() for kind in kinds)
_MADE_BY_OTHERS = ("Pod", "EndpointSlice", "ConfigMap")
"""Kinds that come and go without a plan that names them; of ConfigMaps a plan has none."""
_OURS = {labels.MANAGED_BY: "pointsman"}
MOST_PAUSE, _AGAIN = 60.0, 0.05
"""Seconds after many errors at most, and before listing anew what was too old to watch from."""
_log = logging.getLogger(__name__)


def kinds_of(profile: TargetProfile) -> tuple[str, ...]:
    """What is watched on a target. Secrets never are: the right to list them is not asked for."""
    return (*KINDS, *_OF_GATEWAYS.get(profile.gateway_class, ()))


def _nobody_waits() -> None:
    """Whoever reads the cache asks whether it is complete."""


class TargetCache:
    """Objects by unit hash. `on_change` is called with the hash of the unit that an event concerns, and `on_listed` instead
    once every kind was listed for the first time.

    A reading that failed leaves what is known in place: "could not read" is never "is not there". Only a kind that nothing
    but `access` needs, and that the target does not have or does not let us list, keeps nobody waiting: see `lacking`.
    """

    def __init__(
        self,
        client: ClusterClient,
        on_change: Callable[[str], None],
        on_listed: Callable[[], None] = _nobody_waits,
        *,
        kinds: Iterable[str] = KINDS,
        name: str = "",
    ) -> None:
        self._client = client
        self._on_change = on_change
        self._on_listed = on_listed
        self._name = name
        self._lock = threading.Lock()
        self._units: dict[str, dict[ObjectKey, Object]] = defaultdict(dict)
        self._listed: dict[str, threading.Event] = {kind: threading.Event() for kind in kinds}
        self._errors: dict[str, str] = {}
        self._lacking: dict[str, Stalled] = {}
        self._suspects: set[ObjectKey] = set()
        self._lost: set[ObjectKey] = set()
        self._written: dict[str, set[ObjectKey]] = {}
        self._stop = threading.Event()
        self._is_told_whole = False
        names = {kind: f"watch-{name}-{kind}" for kind in self._listed}
        self.threads = [threading.Thread(target=self._follow, args=(k,), name=n, daemon=True) for k, n in names.items()]
        """One per kind; they end only after `stop`."""

    @classmethod
    def listed(cls, client: ClusterClient, kinds: Iterable[str] = KINDS) -> Self:
        """Everything of ours, read once and not followed: for commands that look and go."""
        cache = cls(client, lambda _unit: None, kinds=kinds)
        for kind in cache._listed:
            try:
                cache._list(kind)
            except Stalled as error:
                if not cache._does_without(kind, error):
                    raise
        return cache

    def start(self) -> None:
        for thread in self.threads:
            thread.start()

    def stop(self) -> None:
        """Take in nothing more. A thread ends with its open watch, at the latest when the client is closed."""
        self._stop.set()

    def wait(self, timeout: float) -> bool:
        """Whether every kind has been listed once within so many seconds: before that no absence means anything."""
        deadline = time.monotonic() + timeout
        return all(event.wait(max(deadline - time.monotonic(), 0.0)) for event in self._listed.values())

    def errors(self, kinds: Collection[str] | None = None) -> tuple[str, ...]:
        """Why kinds (these, or any) cannot be read at the moment, each cause once; what is known of them stays as it was."""
        with self._lock:
            return tuple(dict.fromkeys(text for kind, text in self._errors.items() if kinds is None or kind in kinds))

    def lacking(self) -> Mapping[str, Stalled]:
        """The kinds for `access` that the target does not have or does not let us list, with why; they are tried on."""
        with self._lock:
            return dict(self._lacking)

    def follows(self, kind: str) -> bool:
        """Whether the absence of an object of this kind here means that it is not on the target."""
        with self._lock:
            return kind in self._listed and kind not in self._lacking

    def suspect(self, key: ObjectKey) -> None:
        """Something of others may lie under this name: a create was refused."""
        with self._lock:
            self._suspects.add(key)

    def trust(self, key: ObjectKey) -> None:
        """Nothing lies there any more."""
        with self._lock:
            self._suspects.discard(key)

    def lost(self) -> frozenset[ObjectKey]:
        """What was seen here and went, although nothing of ours removed it, and is not back yet."""
        with self._lock:
            return frozenset(self._lost)

    def suspects(self) -> frozenset[ObjectKey]:
        with self._lock:
            return frozenset(self._suspects)

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

    def knows(self, unit_hash: str) -> bool:
        """Whether anything on the target carries the unit's label."""
        with self._lock:
            return bool(self._units.get(unit_hash))

    def record(self, unit_hash: str) -> Object | None:
        """The ConfigMap of a unit's record, whatever namespace it lies in."""
        with self._lock:
            found = [obj for key, obj in self._units.get(unit_hash, {}).items() if key.kind == "ConfigMap"]
        return next((obj for obj in found if label(obj, labels.RECORD)), None)

    def records(self) -> tuple[Object, ...]:
        """The ConfigMaps of all unit records."""
        with self._lock:
            found = [obj for objects in self._units.values() for key, obj in objects.items() if key.kind == "ConfigMap"]
        return tuple(obj for obj in found if label(obj, labels.RECORD))

    def of_kinds(self, *kinds: str) -> tuple[Object, ...]:
        """All objects of some kinds, of whatever unit."""
        with self._lock:
            return tuple(obj for objects in self._units.values() for key, obj in objects.items() if key.kind in kinds)

    def note(self, obj: Object) -> None:
        """What a write of our own returned, unless the watch has brought something newer already."""
        kept = trimmed(obj)
        with self._lock:
            self._lost.discard(key_of(kept))
            objects = self._units[label(kept, labels.UNIT) or ""]
            known = objects.get(key_of(kept))
            if known is None or _age(known) <= _age(kept):
                objects[key_of(kept)] = kept
                self._written.get(kept["kind"], set()).add(key_of(kept))

    def miss(self, key: ObjectKey) -> None:
        """What was looked for by name and is not there."""
        with self._lock:
            held = [objects.pop(key) for objects in self._units.values() if key in objects]
            self._lose([key] if held else ())

    def forget(self, key: ObjectKey) -> None:
        """What a delete of our own removed, ahead of the watch."""
        with self._lock:
            self._lost.discard(key)
            for objects in self._units.values():
                objects.pop(key, None)
            self._written.get(key.kind, set()).add(key)

    def _follow(self, kind: str) -> None:
        version, failures = "", 0
        while not self._stop.is_set():
            begun = time.monotonic()
            try:
                if not version:
                    version = self._list(kind)
                for event in self._client.watch(kind, version, labels=_OURS):
                    version, failures = event.object["metadata"]["resourceVersion"], 0
                    self._take(event)
                    if self._stop.is_set():
                        return
                failures = 0
            except Exception as error:
                # A fault of ours included: without this thread nothing of the kind would ever be seen again.
                # A list alone is no success: where every watch fails at once, all would be listed again and again.
                lasted = time.monotonic() - begun
                version, failures = "", 1 if lasted > MOST_PAUSE else failures + 1
                if isinstance(error, Conflict) and failures == 1:
                    self._stop.wait(_AGAIN)
                else:
                    self._failed(kind, error, failures)

    def _failed(self, kind: str, error: Exception, failures: int) -> None:
        """Say it once per cause, and pause longer and longer."""
        said = told(error)
        with self._lock:
            is_new = self._errors.get(kind) != said
            self._errors[kind] = said
        if self._does_without(kind, error):
            self._tell_changed(())
        if is_new and not self._stop.is_set():
            expected = isinstance(error, PointsmanError)
            _log.warning("watching %s of target %s: %s", kind, self._name, said, exc_info=None if expected else error)
        self._stop.wait(backoff(failures, MOST_PAUSE, random.Random()))  # noqa: S311  jitter, no secret

    def _does_without(self, kind: str, error: Exception) -> bool:
        """Whether a kind counts as listed and empty from now on, although it could not be listed."""
        with self._lock:
            is_known = self._listed[kind].is_set() and kind not in self._lacking
            if is_known or kind not in _GUARDS or not isinstance(error, Stalled):
                return False
            self._lacking[kind] = error
        self._listed[kind].set()
        return True

    def _list(self, kind: str) -> str:
        with self._lock:
            self._written[kind] = set()
        listing = self._client.list(kind, labels=_OURS)
        fresh = {key_of(obj): trimmed(obj) for obj in listing.items}
        with self._lock:
            self._errors.pop(kind, None)
            self._lacking.pop(kind, None)
            changed = self._replace(kind, fresh, self._written.pop(kind))
        self._listed[kind].set()
        self._tell_changed(changed)
        return listing.resource_version

    def _tell_changed(self, units: Iterable[str]) -> None:
        """What a list brought: all of it at once while not every kind was listed."""
        if self._is_told_whole:
            self._announce(units)
        elif self.complete:
            self._on_listed()
            self._is_told_whole = True

    def _replace(self, kind: str, fresh: Mapping[ObjectKey, Object], written: Collection[ObjectKey]) -> set[str]:
        """The units of which something is different now.

        What we wrote or deleted while the list was under way may be newer than the list: there the watch has the last word.
        """
        changed: set[str] = set()
        for unit, objects in self._units.items():
            lost = [key for key in objects if key.kind == kind and key not in fresh and key not in written]
            changed |= {unit for key in lost if objects.pop(key)}
            self._lose(lost)
        for key, obj in fresh.items():
            self._lost.discard(key)
            unit = label(obj, labels.UNIT) or ""
            known = self._units[unit].get(key)
            if key in written and (known is None or _age(known) > _age(obj)):
                continue
            self._units[unit][key] = obj
            if known is None or not says_the_same(known, obj):
                changed.add(unit)
        return changed

    def _take(self, event: WatchEvent) -> None:
        unit, key = label(event.object, labels.UNIT) or "", key_of(event.object)
        with self._lock:
            known = self._units[unit].get(key)
        if event.type is not EventType.DELETED and known is not None and _version(known) == _version(event.object):
            return  # the echo of a write of our own
        obj = trimmed(event.object)
        with self._lock:
            objects = self._units[unit]
            known = objects.get(key)
            if known is not None and _age(known) > _age(obj):
                return  # what a write of our own returned is newer
            if event.type is EventType.DELETED:
                is_news = objects.pop(key, None) is not None
                self._lose([key] if is_news else ())
            else:
                self._lost.discard(key)
                objects[key] = obj
                is_news = known is None or not says_the_same(known, obj)
        if is_news:
            self._announce((unit,))

    def _lose(self, keys: Iterable[ObjectKey]) -> None:
        self._lost.update(key for key in keys if key.kind not in _MADE_BY_OTHERS)

    def _announce(self, units: Iterable[str]) -> None:
        for unit in units:
            if unit:
                self._on_change(unit)


def _version(obj: Object) -> str:
    return str(obj["metadata"].get("resourceVersion", ""))


def _age(obj: Object) -> int:
    """Resource versions are decimal and comparable (Kubernetes KEP-5504); what is not counts as newest."""
    version = _version(obj)
    return int(version) if version.isdigit() else sys.maxsize

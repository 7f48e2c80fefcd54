"""Writes what became of each HTTPRoute into its status, as any gateway does (Gateway API, RouteParentStatus)."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from controller.embedded.gateway.filters import UnsupportedError
from controller.model.errors import Conflict, Stalled, Transient
from controller.model.identity import ObjectKey
from controller.model.objects import Object, at, key_of

CONTROLLER_NAME = "pointsman.dev/embedded-gateway"
_REF_REASONS = frozenset({"BackendNotFound", "InvalidKind", "RefNotPermitted"})
_ATTEMPTS = 5
_PAUSE = 0.2


class StatusStore(Protocol):
    """The one method of the object store that writes a status."""

    def set_status(self, key: ObjectKey, status: Mapping[str, Any]) -> Object: ...


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the table that is in effect makes of one generation of a route."""

    route: Object
    problem: UnsupportedError | None
    backend_found: bool


def parents_of(verdict: Verdict, now: str) -> list[dict[str, Any]]:
    """`status.parents` with our entry first; entries of other controllers stay, and times of conditions that did not change."""
    existing = at(verdict.route, "status", "parents", default=())
    ours: Mapping[str, Any] = next((p for p in existing if p.get("controllerName") == CONTROLLER_NAME), {})
    others = [p for p in existing if p.get("controllerName") != CONTROLLER_NAME]
    reference = at(verdict.route, "spec", "parentRefs", 0, default={"name": "pointsman"})
    conditions = [_dated(c, ours.get("conditions") or (), now) for c in _conditions(verdict)]
    return [{"parentRef": reference, "controllerName": CONTROLLER_NAME, "conditions": conditions}, *others]


def _conditions(verdict: Verdict) -> list[dict[str, Any]]:
    problem = verdict.problem
    about_backend = problem is not None and problem.reason in _REF_REASONS
    accepted = ("False", problem.reason, str(problem)) if problem and not about_backend else ("True", "Accepted", "")
    if problem and about_backend:
        resolved = ("False", problem.reason, str(problem))
    elif not verdict.backend_found:
        resolved = ("False", "BackendNotFound", "the Service that the rule names does not exist")
    else:
        resolved = ("True", "ResolvedRefs", "")
    generation = verdict.route["metadata"].get("generation", 0)
    return [
        {"type": kind, "status": status, "reason": reason, "message": message, "observedGeneration": generation}
        for kind, (status, reason, message) in (("Accepted", accepted), ("ResolvedRefs", resolved))
    ]


def _dated(condition: dict[str, Any], existing: Iterable[Mapping[str, Any]], now: str) -> dict[str, Any]:
    before = next((c for c in existing if c.get("type") == condition["type"]), {})
    kept = before.get("status") == condition["status"]
    return {**condition, "lastTransitionTime": before.get("lastTransitionTime", now) if kept else now}


class StatusWriter:
    """One thread that writes; of several verdicts on a route only the newest is written. `decide` never waits."""

    def __init__(self, store: StatusStore) -> None:
        self._store = store
        self._pending: dict[ObjectKey, Verdict] = {}
        self._lock = threading.Lock()
        self._keys: queue.SimpleQueue[ObjectKey | None] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="gateway-status", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Let the write in hand finish; what is left is written after the next start."""
        self._stopping.set()
        self._keys.put(None)
        self._thread.join()

    def decide(self, verdict: Verdict) -> None:
        """Queue a verdict, unless the route says it already."""
        key = key_of(verdict.route)
        parents = parents_of(verdict, "")
        with self._lock:
            known = key in self._pending
            if not known and parents == at(verdict.route, "status", "parents"):
                return
            self._pending[key] = verdict
        if not known:
            self._keys.put(key)

    def _run(self) -> None:
        while (key := self._keys.get()) is not None and not self._stopping.is_set():
            self._write(key)

    def _write(self, key: ObjectKey) -> None:
        with self._lock:
            verdict = self._pending.pop(key, None)  # a newer one queues up again and is written after this one
        for _ in range(_ATTEMPTS):
            if verdict is None or self._try(key, verdict) or self._stopping.wait(_PAUSE):
                return

    def _try(self, key: ObjectKey, verdict: Verdict) -> bool:
        try:
            now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            self._store.set_status(key, {"parents": parents_of(verdict, now)})
        except (Conflict, Stalled):
            return True  # the route went away in between
        except Transient:
            return False
        return True

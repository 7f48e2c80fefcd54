"""Two writers that undo each other are noticed: one object is set right so often a minute, then we back off and say who."""

from __future__ import annotations

import threading
import time

from controller.model import labels
from controller.model.changes import Change, Operation
from controller.model.errors import Waiting
from controller.model.identity import ObjectKey
from controller.model.objects import Object, annotation, at

MOST = 5
WINDOW = 60.0
"""Seconds in which an object gets the same content at most `MOST` times."""


class Corrections:
    """When which content was written to which object, for as long as that matters. Safe for many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._written: dict[tuple[ObjectKey, str], list[float]] = {}
        self._tidied = time.monotonic()

    def check(self, change: Change, observed: Object | None) -> None:
        """Raises `Waiting` for a write that somebody keeps undoing."""
        now = time.monotonic()
        with self._lock:
            times = _recent(self._written.get(_content(change), []), now)
        if len(times) >= MOST:
            after = times[0] + WINDOW - now
            raise Waiting(_message(change.key, observed), after=after, hint="find out who else writes it, and end that")

    def note(self, change: Change) -> None:
        """The change was written. One that was refused (a conflict) undoes nothing and does not count."""
        if change.operation is Operation.UPDATE:
            now = time.monotonic()
            with self._lock:
                if now > self._tidied + WINDOW:
                    self._written = {key: kept for key, times in self._written.items() if (kept := _recent(times, now))}
                    self._tidied = now
                self._written.setdefault(_content(change), []).append(now)


def _recent(times: list[float], now: float) -> list[float]:
    return [moment for moment in times if moment > now - WINDOW]


def _content(change: Change) -> tuple[ObjectKey, str]:
    return change.key, (annotation(change.desired, labels.APPLIED) if change.desired else None) or ""


def _message(key: ObjectKey, observed: Object | None) -> str:
    entries = at(observed or {}, "metadata", "managedFields", default=())
    others = sorted({str(entry.get("manager")) for entry in entries} - {labels.FIELD_MANAGER})
    return f"{key} was set right {MOST} times within {WINDOW:g} s and is changed again by {', '.join(others) or 'somebody'}"

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
    """The last content written to each object and when, for as long as that matters. Safe for many threads.

    Only the same content again is a correction: an alias that commits move to and fro is nobody's fight.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._written: dict[ObjectKey, tuple[str, list[float]]] = {}
        self._tidied = time.monotonic()

    def check(self, change: Change, observed: Object | None) -> None:
        """Raises `Waiting` for a write that somebody keeps undoing."""
        now = time.monotonic()
        with self._lock:
            times = self._times(change, now)
        if len(times) >= MOST:
            after = times[0] + WINDOW - now
            raise Waiting(_message(change.key, observed), after=after, hint="find out who else writes it, and end that")

    def note(self, change: Change) -> None:
        """The change was written. What was refused (a conflict) undoes nothing and does not count, nor does a first create."""
        if change.operation is Operation.DELETE:
            return
        now = time.monotonic()
        with self._lock:
            self._tidy(now)
            content, times = _content(change), self._times(change, now)
            is_first = change.operation is Operation.CREATE and self._written.get(change.key, ("", []))[0] != content
            self._written[change.key] = (content, [] if is_first else [*times, now])

    def _tidy(self, now: float) -> None:
        if now > self._tidied + WINDOW:
            self._written = {key: known for key, known in self._written.items() if known[1] and known[1][-1] > now - WINDOW}
            self._tidied = now

    def _times(self, change: Change, now: float) -> list[float]:
        content, times = self._written.get(change.key, ("", []))
        return [moment for moment in times if moment > now - WINDOW] if content == _content(change) else []


def _content(change: Change) -> str:
    return (annotation(change.desired, labels.APPLIED) if change.desired else None) or ""


def _message(key: ObjectKey, observed: Object | None) -> str:
    entries = at(observed or {}, "metadata", "managedFields", default=())
    others = sorted({str(entry.get("manager")) for entry in entries} - {labels.FIELD_MANAGER})
    again = f"changed again by {', '.join(others) or 'somebody'}" if observed else "deleted again by somebody"
    return f"{key} was set right {MOST} times within {WINDOW:g} s and is {again}"

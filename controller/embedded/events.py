"""What changed, in order: a bounded memory of one kind for watches, and one thread that calls subscribers."""

from __future__ import annotations

import logging
import queue
import threading
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from controller.embedded.table import carries
from controller.model.errors import Conflict
from controller.model.objects import Object, put
from controller.model.ports import EventType, Labels, WatchEvent

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Transition:
    """One object before and after one write; `version` is the store's counter at that write."""

    version: int
    old: Object | None
    new: Object | None

    def seen_with(self, labels: Labels | None) -> WatchEvent | None:
        """The event for a watcher of these labels: an object that stops matching is DELETED to it, as on an API server."""
        before = self.old is not None and carries(self.old, labels)
        if self.new is not None and carries(self.new, labels):
            return WatchEvent(EventType.MODIFIED if before else EventType.ADDED, self.new)
        last = self.new or self.old
        if not before or last is None:
            return None
        return WatchEvent(EventType.DELETED, put(last, str(self.version), "metadata", "resourceVersion"))


class EventLog:
    """The newest transitions of one kind: at least `limit` of them, at most twice that. Not thread-safe."""

    def __init__(self, start: int, limit: int) -> None:
        self._forgotten = start
        self._limit = limit
        self._items: list[Transition] = []

    def append(self, transition: Transition) -> None:
        self._items.append(transition)
        if len(self._items) > 2 * self._limit:
            self._forgotten = self._items[-self._limit - 1].version
            del self._items[: -self._limit]

    def has_after(self, version: int) -> bool:
        return bool(self._items) and self._items[-1].version > version

    def since(self, version: int) -> Sequence[Transition]:
        """Everything after `version`. Raises `Conflict` when part of that is forgotten."""
        if version < self._forgotten:
            raise Conflict(f"resourceVersion {version} is too old to watch from (410 Gone)", hint="list again")
        return self._items[bisect_right(self._items, version, key=lambda item: item.version) :]


class Dispatcher:
    """Calls subscribers in order from one thread of its own, which starts with the first subscriber.

    The queue has no bound, because a subscriber may write to the store: with a bound it could wait for itself.
    An entry is only a reference to objects that exist anyhow.
    """

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[WatchEvent | None] = queue.SimpleQueue()
        self._subscribers: tuple[Callable[[WatchEvent], None], ...] = ()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def subscribe(self, callback: Callable[[WatchEvent], None]) -> Callable[[], None]:
        """Start calling `callback`; the answer ends that."""
        with self._lock:
            self._subscribers += (callback,)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="embedded-events", daemon=True)
                self._thread.start()
        return lambda: self._unsubscribe(callback)

    def send(self, event: WatchEvent) -> None:
        if self._subscribers:
            self._queue.put(event)

    def close(self) -> None:
        """Deliver what is queued, then end. Safe to call from a subscriber."""
        with self._lock:
            thread, self._thread = self._thread, None
        self._queue.put(None)
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def _unsubscribe(self, callback: Callable[[WatchEvent], None]) -> None:
        with self._lock:
            self._subscribers = tuple(one for one in self._subscribers if one is not callback)

    def _run(self) -> None:
        while (event := self._queue.get()) is not None:
            for callback in self._subscribers:
                self._call(callback, event)

    @staticmethod
    def _call(callback: Callable[[WatchEvent], None], event: WatchEvent) -> None:
        try:
            callback(event)
        except Exception:
            _log.exception("a subscriber of the embedded cluster failed; it goes on with the next event")

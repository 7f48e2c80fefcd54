"""A keyed work queue: a key is worked on by one worker at a time, asked for twice it runs once."""

from __future__ import annotations

import heapq
import threading
import time
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
_MOST_STALE = 1000


class WorkQueue(Generic[K]):
    """Any trigger only adds a key. A key added while it is being worked on runs once more afterwards."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._due: dict[K, float] = {}
        self._heap: list[tuple[float, int, K]] = []
        self._busy: set[K] = set()
        self._count = 0
        self._closed = False

    def add(self, key: K, after: float = 0.0) -> None:
        """Have the key worked on in `after` seconds, or earlier if that was asked for already."""
        at = time.monotonic() + after
        with self._condition:
            if key in self._due and self._due[key] <= at:
                return
            self._due[key] = at
            self._push(key)
            self._condition.notify()

    def take(self) -> K | None:
        """Wait for a key that is due and that nobody works on; None once the queue is closed."""
        with self._condition:
            while not self._closed:
                key, wait = self._next()
                if key is not None:
                    self._busy.add(key)
                    return key
                self._condition.wait(wait)
            return None

    def done(self, key: K) -> None:
        """The worker has finished with the key."""
        with self._condition:
            self._busy.discard(key)
            if key in self._due:
                self._push(key)
            self._condition.notify_all()

    def close(self) -> None:
        """Wake every worker with None; what is due stays undone (the next start looks at everything anyway)."""
        with self._condition:
            self._closed = True
            self._condition.notify_all()

    def _push(self, key: K) -> None:
        """Every add leaves an entry behind that may be due late; what nobody waits for any more is not kept that long."""
        self._count += 1
        heapq.heappush(self._heap, (self._due[key], self._count, key))
        if len(self._heap) > 2 * len(self._due) + _MOST_STALE:
            self._heap = [(at, number, key) for number, (key, at) in enumerate(self._due.items(), self._count)]
            self._count += len(self._heap)
            heapq.heapify(self._heap)

    def _next(self) -> tuple[K | None, float | None]:
        """The key to work on now, or how long until one may be due."""
        now = time.monotonic()
        while self._heap:
            at, _, key = self._heap[0]
            if self._due.get(key) != at or key in self._busy:
                heapq.heappop(self._heap)
                continue
            if at > now:
                return None, at - now
            heapq.heappop(self._heap)
            del self._due[key]
            return key, None
        return None, None

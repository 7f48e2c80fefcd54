"""A limit on how fast one cluster is asked."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class RateLimit:
    """A token bucket: `burst` requests at once, then `qps` a second. Who asks first goes first.

    Each caller reserves its moment under the lock and waits for it alone, so nobody is overtaken and nobody starves.
    """

    def __init__(self, qps: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._interval = 1.0 / qps
        self._credit = max(burst - 1, 0) * self._interval
        self._clock = clock
        self._next = float("-inf")
        self._lock = threading.Lock()

    def reserve(self) -> float:
        """Seconds to wait before the request may be sent; 0 while there is burst left."""
        with self._lock:
            now = self._clock()
            self._next = max(self._next, now - self._credit)
            wait = self._next - now
            self._next += self._interval
            return max(wait, 0.0)

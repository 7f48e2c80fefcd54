"""An answer that stays good for some seconds: many passes want it, few have to ask."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Remembered(Generic[T]):
    """`ask` is called at most once per `seconds`, by one thread at a time; an error is not remembered."""

    def __init__(self, ask: Callable[[], T], seconds: float) -> None:
        self._ask = ask
        self._seconds = seconds
        self._lock = threading.Lock()
        self._known: tuple[float, T] | None = None

    def get(self) -> T:
        with self._lock:
            now = time.monotonic()
            if self._known is None or now >= self._known[0] + self._seconds:
                self._known = now, self._ask()
            return self._known[1]

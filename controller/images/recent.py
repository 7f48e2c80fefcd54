"""What was needed last, in a bounded part of the memory."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable, Sized
from typing import Generic, TypeVar

LIMIT = 8 << 20
"""Bytes that are kept at most; those that were needed last stay."""


Name = TypeVar("Name", bound=Hashable)
Kept = TypeVar("Kept", bound=Sized)


class Recent(Generic[Name, Kept]):
    """Values by what they are of, as many as together have not more than `limit` bytes. Safe for threads."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._kept: OrderedDict[Name, Kept] = OrderedDict()
        self._size = 0

    def get(self, name: Name) -> Kept | None:
        """The value, where it is known; it was needed last now."""
        with self._lock:
            if name in self._kept:
                self._kept.move_to_end(name)
            return self._kept.get(name)

    def keep(self, name: Name, value: Kept) -> None:
        """Keep this one too, and forget what was not needed for longest."""
        with self._lock:
            if name in self._kept:
                return
            self._kept[name] = value
            self._size += len(value)
            while self._size > self._limit:
                self._size -= len(self._kept.popitem(last=False)[1])

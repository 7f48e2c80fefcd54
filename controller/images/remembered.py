"""What was needed before and may be needed again, in a bounded part of the memory."""

from __future__ import annotations

import random
import threading
from collections.abc import Hashable
from typing import Generic, TypeVar

LIMIT = 8 << 20
"""Bytes that are kept at most, with what it costs to keep them."""

COST = 512
"""Bytes that an entry takes beside its value: its name, of a path and a digest, and its places in the tables of Python."""

Key = TypeVar("Key", bound=Hashable)


class Remembered(Generic[Key]):
    """Bytes by what they are of. Safe for threads.

    What is forgotten for want of room is left to chance: each build walks through all files in the same order, and the one
    needed longest ago would always be the one needed next.
    """

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._kept: dict[Key, bytes] = {}
        self._order: list[Key] = []
        self._size = 0

    def get(self, key: Key) -> bytes | None:
        """The bytes, where they are known."""
        return self._kept.get(key)

    def keep(self, key: Key, data: bytes) -> None:
        """Keep these too; what is larger than all the room is not kept."""
        with self._lock:
            if key in self._kept or len(data) + COST > self._limit:
                return
            while self._size + len(data) + COST > self._limit:
                self._forget_one()
            self._kept[key] = data
            self._order.append(key)
            self._size += len(data) + COST

    def _forget_one(self) -> None:
        chosen = random.randrange(len(self._order))  # noqa: S311  no secret
        self._order[chosen], self._order[-1] = self._order[-1], self._order[chosen]
        self._size -= len(self._kept.pop(self._order.pop())) + COST

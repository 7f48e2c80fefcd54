"""What a registry was seen to have, for as long as that may be relied on."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable

BELIEVED = 600.0
"""Seconds: a registry that collects its garbage loses blobs, and may go on saying that it has them."""


class Known:
    """Blobs that were seen whole in a repository, so that builds in a row ask for them once. Safe for threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._lock = threading.Lock()
        self._clock = clock
        self._seen: dict[tuple[str, str], float] = {}

    def __contains__(self, blob: tuple[str, str]) -> bool:
        with self._lock:
            return self._clock() - self._seen.get(blob, -math.inf) < BELIEVED

    def add(self, repository: str, digest: str) -> None:
        """It was seen just now."""
        with self._lock:
            self._seen[repository, digest] = self._clock()

    def forget(self, repository: str) -> None:
        """The registry lost something of this repository: nothing there is believed any more."""
        with self._lock:
            self._seen = {blob: at for blob, at in self._seen.items() if blob[0] != repository}

"""Gives back, now and then, the disk of what was built: else it grows until a pod is evicted or the disk is full."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

EVERY = 1800.0
"""Seconds between two looks."""

KEPT = 24 * 3600.0
"""Seconds for which what nothing uses stays: a file that the next version needs too is not fetched again."""

_log = logging.getLogger(__name__)


class Cleaning:
    """A context manager; inside it, `clean` is called with a time (seconds since the epoch): what is older may go."""

    def __init__(self, clean: Callable[[float], None], *, every: float = EVERY) -> None:
        self._clean = clean
        self._every = every
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="cleaning", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(self._every):
            try:
                self._clean(time.time() - KEPT)
            except Exception:
                # A fault of ours, in a thread that nobody else would restart: told, and tried again.
                _log.exception("what was built is not cleaned up")

"""Work that takes its time (builds, golden requests) waits here and holds no pass: bounded, one run per key."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor

_log = logging.getLogger(__name__)


class Background:
    """At most `workers` jobs at once; a key that is already queued or running is not started again."""

    def __init__(self, name: str, workers: int) -> None:
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix=name)
        self._lock = threading.Lock()
        self._running: set[Hashable] = set()
        self._closed = False

    def submit(self, key: Hashable, job: Callable[[], None], then: Callable[[], None]) -> bool:
        """Start the job unless its key is under way; whether it was started.

        `then` follows a job that did not raise, and not before its key is free: who hears of it may submit it again.
        """
        with self._lock:
            if key in self._running or self._closed:
                return False
            self._running.add(key)
            self._pool.submit(self._run, key, job, then)
        return True

    def is_running(self, key: Hashable) -> bool:
        with self._lock:
            return key in self._running

    def close(self) -> None:
        """Start nothing more; what runs is left to end by itself."""
        with self._lock:
            self._closed = True
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _run(self, key: Hashable, job: Callable[[], None], then: Callable[[], None]) -> None:
        try:
            job()
        except Exception:
            # A job reports its own expected failures; anything else must be seen. Told again at once, it would only repeat.
            _log.exception("background job %s", key)
            then = _silent
        finally:
            with self._lock:
                self._running.discard(key)
        then()


def _silent() -> None:
    """Nobody is told."""

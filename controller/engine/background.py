"""Work that takes its time (builds, golden requests) waits here and holds no pass: bounded, one run per key."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor, wait

ENDING = 10.0
"""Seconds that jobs which were told to end are waited for: longer than any of them goes on without asking."""
_LOOK = 0.1
"""Seconds after which a job that can be left behind is left behind."""
_log = logging.getLogger(__name__)


class Background:
    """At most `workers` jobs at once; a key that is already queued or running is not started again.

    `leaves`: the end waits for none of them. That is for jobs that write nothing and wait for somebody else's answer.
    """

    def __init__(self, name: str, workers: int, *, leaves: bool = False) -> None:
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix=name)
        self._do = self._until_closed if leaves else _do
        self._lock = threading.Lock()
        self._running: set[Hashable] = set()
        self._futures: set[Future[None]] = set()
        self._closed = False

    def submit(self, key: Hashable, job: Callable[[], None], then: Callable[[], None]) -> bool:
        """Start the job unless its key is under way; whether it was started.

        `then` follows a job that did not raise, and not before its key is free: who hears of it may submit it again.
        """
        with self._lock:
            if key in self._running or self._closed:
                return False
            self._running.add(key)
            future = self._pool.submit(self._run, key, job, then)
            self._futures.add(future)
        future.add_done_callback(self._ended)
        return True

    def is_running(self, key: Hashable) -> bool:
        with self._lock:
            return key in self._running

    def is_closed(self) -> bool:
        """Whether a job that runs is to end: one that takes its time asks."""
        return self._closed

    def close(self) -> None:
        """Start nothing more, and wait for what runs: whoever closes this may remove next what the jobs write to."""
        with self._lock:
            self._closed = True
            running = set(self._futures)
        self._pool.shutdown(wait=False, cancel_futures=True)
        wait({future for future in running if not future.cancelled()}, ENDING)

    def _ended(self, future: Future[None]) -> None:
        with self._lock:
            self._futures.discard(future)

    def _run(self, key: Hashable, job: Callable[[], None], then: Callable[[], None]) -> None:
        try:
            self._do(job)
        except Exception:
            # A job reports its own expected failures; anything else must be seen. Told again at once, it would only repeat.
            _log.exception("background job %s", key)
            then = _silent
        finally:
            with self._lock:
                self._running.discard(key)
        then()

    def _until_closed(self, job: Callable[[], None]) -> None:
        """Do it in a thread that does not hold the interpreter's exit up, as a pool's do."""
        done: Future[None] = Future()
        threading.Thread(target=_settle, args=(done, job), name=threading.current_thread().name, daemon=True).start()
        while not (wait((done,), _LOOK).done or self._closed):
            continue
        if done.done():
            done.result()


def _do(job: Callable[[], None]) -> None:
    job()


def _settle(done: Future[None], job: Callable[[], None]) -> None:
    try:
        job()
    except BaseException as error:  # whatever it is, the worker raises it; it would wait for ever for what is not told
        done.set_exception(error)
    else:
        done.set_result(None)


def _silent() -> None:
    """Nobody is told."""

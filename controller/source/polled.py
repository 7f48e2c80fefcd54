"""A mirror that is looked at again and again from a thread of its own: a slow or dead host delays nobody else."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Collection

from controller.model.errors import PointsmanError
from controller.model.ports import CodeReader
from controller.model.source import Revision, Snapshot
from controller.source.addresses import with_granted_addresses
from controller.source.mirror import Mirror

SPREAD = 0.2
"""The part by which an interval is longer or shorter, so that many sources do not ask one forge at once."""
LONGEST_PAUSE = 600.0
_log = logging.getLogger(__name__)


def _nobody() -> None:
    """Nobody waits for news yet."""


class PolledMirror:
    """The engine's source over a `Mirror`: `token` never asks the network, `refresh` happens every `interval` seconds.

    What was verified once, also by an earlier process, is published at once although the host is down. `file_prefixes`
    are what the addresses of declared files may begin with; None grants all.
    """

    def __init__(self, mirror: Mirror, *, interval: float, file_prefixes: Collection[str] | None = None) -> None:
        self._mirror = mirror
        self.name = mirror.name
        self._interval = interval
        self._prefixes = file_prefixes
        self._on_new: Callable[[], None] = _nobody
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"poll-{mirror.name}", daemon=True)
        self.error: PointsmanError | None = None
        """Why the repository cannot be read at the moment."""
        self._begun = self._read = float("-inf")

    @property
    def code(self) -> CodeReader:
        """The bytes of the code at every revision."""
        return self._mirror.code

    def start(self, on_new: Callable[[], None]) -> None:
        """Look from now on; `on_new` is told when there is something new."""
        self._on_new = on_new
        self._thread.start()

    def look(self) -> None:
        """Look now: a hint, from a webhook or a person."""
        self._wake.set()

    def token(self) -> str:
        """Differs when there is something new to read; empty before the first reading, about which `error` tells."""
        return self._mirror.token() if self._mirror.was_read else ""

    @property
    def revision(self) -> Revision:
        """The verified one; its commit is empty before the first."""
        return self._mirror.revision

    def snapshot(self) -> Snapshot:
        """What the verified revision declares, with what it claims of files in vain."""
        return with_granted_addresses(self._mirror.snapshot(), self._prefixes)

    def removed(self, snapshot: Snapshot, since: float) -> Snapshot:
        """The versions that this snapshot of here no longer declares, and a commit from `since` on did."""
        return self._mirror.removed(snapshot, since)

    def is_ancestor(self, old: str, new: str) -> bool:
        """Whether the commit `new` can reach `old`."""
        return self._mirror.is_ancestor(old, new)

    def was_read_since(self, moment: float) -> bool:
        """Whether a look that began at or after this moment (of the monotonic clock) found everything in order."""
        return self.error is None and self._read >= moment

    @property
    def is_alive(self) -> bool:
        """Whether somebody looks."""
        return self._thread.is_alive()

    def close(self) -> None:
        """Look no more; a git process under way has its own deadline."""
        self._stop.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(2.0)
        self._mirror.close()

    def _run(self) -> None:
        failures = 0
        while not self._stop.is_set():
            self._wake.clear()
            failures = 0 if self._look() else failures + 1
            if self._stop.is_set():  # `close` may have come before the wake was cleared
                return
            self._wake.wait(pause(self._interval, failures, random.Random()))  # noqa: S311  jitter, no secret

    def _look(self) -> bool:
        self._begun = time.monotonic()
        try:
            moved = self._mirror.refresh()
        except PointsmanError as error:
            self._tell(error)
            return False
        except Exception as error:
            # A fault of ours, in a thread that nobody else would restart: told, and tried again.
            _log.exception("source %s", self.name)
            self.error = PointsmanError(f"{type(error).__name__}: {error}")
            return False
        if self.error:
            _log.info("source %s can be read again", self.name)
            self.error = None
        self._read = self._begun
        if moved:
            _log.info("source %s has %s", self.name, self._mirror.token())
            self._on_new()
        return True

    def _tell(self, error: PointsmanError) -> None:
        """Each reason once, though it lasts for days."""
        if self.error is None or self.error.message != error.message:
            _log.warning("source %s: %s; what it declared before stays", self.name, error.message)
        self.error = error


def pause(interval: float, failures: int, chance: random.Random) -> float:
    """Seconds until the next look: longer and longer while it fails, never more than `LONGEST_PAUSE` or the interval."""
    longest = max(LONGEST_PAUSE, interval)
    return min(interval * 2.0 ** min(failures, 10), longest) * chance.uniform(1 - SPREAD, 1 + SPREAD)

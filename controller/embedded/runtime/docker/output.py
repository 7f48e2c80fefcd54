"""Copies what a container prints into its replica's file, each message once, also across a killed controller.

The Engine can be asked for messages from a second on, in one order that does not change. So a position is such a second, how
many messages from there on were copied, and the file's size after the last of them: what a killed run wrote beyond that size
it had not counted yet, and comes again.
"""

from __future__ import annotations

import json
import logging
import os
import threading
from collections import Counter
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from controller.embedded.runtime.docker.containers import Containers, Gone
from controller.embedded.runtime.logs import LogDirectory, size_of, tail
from controller.model.errors import PointsmanError

_LOG = logging.getLogger(__name__)
_AGAIN = 0.2
_LAST_WORDS = 10.0
"""Seconds for the rest of what an ended container printed."""

_KEPT = 3
"""Seconds that are counted: stdout and stderr are noted side by side, so their times are not quite in order."""

_WIDTH = 256


@dataclass(frozen=True, slots=True)
class Position:
    """`start` is where this container's output began in the file; `size` 0 and `start` 0 after the file was begun anew."""

    container: str
    start: int
    size: int
    since: int = 0
    seen: int = 0


class OutputCopy:
    """A thread per container, until the container has ended and everything is copied."""

    def __init__(self, containers: Containers, container: str, log: Path, place: Path, logs: LogDirectory) -> None:
        self._containers = containers
        self._container = container
        self._log = log
        self._place = place
        self._logs = logs
        self._over = threading.Event()
        self._position = _read(place, container) or Position(container, size_of(log), size_of(log))
        self._thread = threading.Thread(target=self._copy, name=f"output-{container[:12]}", daemon=True)

    def tail(self) -> str:
        """The last words of this container."""
        return tail(self._log, start=self._position.start)

    def begin(self) -> None:
        self._thread.start()

    def finish(self) -> None:
        """The container has ended: copy the rest, and wait for that."""
        self._over.set()
        self._thread.join(_LAST_WORDS)

    def _copy(self) -> None:
        last = False
        while not last:
            last = self._over.is_set()
            try:
                self._read(follow=not last)
            except Gone:
                return
            except PointsmanError as error:
                _LOG.debug("%s: %s", self._container[:12], error)
            except OSError as error:  # disk full: what cannot be kept is read again later
                _LOG.warning("cannot write %s: %s", self._log, error.strerror)
            self._over.wait(_AGAIN)

    def _read(self, *, follow: bool) -> None:
        """What is new since the position."""
        position = self._position
        written = max(0, size_of(self._log) - position.size)
        counted = Counter[int]()
        with self._log.open("ab", buffering=0) as log:
            for number, message in enumerate(self._containers.output(self._container, position.since, follow=follow)):
                second, text = _split(message)
                _count(counted, second)
                if number < position.seen:
                    continue
                written, new = max(0, written - len(text)), text[written:]
                self._write(log.fileno(), new, counted)

    def _write(self, log: int, text: bytes, counted: Counter[int]) -> None:
        start = self._position.start if not self._logs.rotate(self._log) else 0
        while text:
            text = text[os.write(log, text) :]
        since = min(counted)
        self._position = Position(self._container, start, os.fstat(log).st_size, since, counted.total())
        _save(self._place, self._position)


def _count(counted: Counter[int], second: int) -> None:
    counted[second] += 1
    for old in [each for each in counted if each <= second - _KEPT]:
        del counted[old]


def _split(message: bytes) -> tuple[int, bytes]:
    """The second (since the epoch) of `2026-01-02T03:04:05.000000006Z text`, and the text."""
    time, _, text = message.partition(b" ")
    return int(datetime.fromisoformat(time[:19].decode() + "+00:00").timestamp()), text


def _read(place: Path, container: str) -> Position | None:
    """The position of this very container; None for another one's."""
    with suppress(OSError, ValueError, TypeError):
        found = Position(**json.loads(place.read_text()))
        return found if found.container == container else None
    return None


def _save(place: Path, position: Position) -> None:
    """In place and of one width: a killed process has written all of it or none."""
    descriptor = os.open(place, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        os.pwrite(descriptor, json.dumps(asdict(position)).ljust(_WIDTH).encode(), 0)
    finally:
        os.close(descriptor)

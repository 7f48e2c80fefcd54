"""A source followed: when it has something new, one verified snapshot is loaded and published, whole."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from controller.engine.retry import pause_after, told
from controller.engine.steps import Observer, Step
from controller.loading.loader import load
from controller.model.declared import DeclaredState
from controller.model.errors import PointsmanError
from controller.model.identity import UnitKey
from controller.model.ports import CodeReader
from controller.model.source import Snapshot

DECLARED_DIRECTORY = "pointsman"
"""Where a repository declares what it does not say otherwise."""
_log = logging.getLogger(__name__)


class Source(Protocol):
    """Where snapshots come from: a working directory, a mirror, or a directory without a declared tree."""

    @property
    def name(self) -> str: ...

    @property
    def code(self) -> CodeReader: ...

    def token(self) -> str:
        """A text that differs when there may be something new; costs no process."""
        ...

    def snapshot(self) -> Snapshot: ...

    def is_ancestor(self, old: str, new: str) -> bool: ...

    def removed(self, snapshot: Snapshot, since: float) -> Snapshot:
        """The versions that one of its snapshots does not declare, and a commit from `since` (epoch seconds) on did."""
        ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Publication:
    """One snapshot of a source with what it declares; replaced as a whole."""

    source: Source
    snapshot: Snapshot
    declared: DeclaredState

    @property
    def origin(self) -> str:
        """Whose work a record is: one repository may hold several declared directories, each a source of its own."""
        path = self.snapshot.path
        return self.snapshot.source if path == DECLARED_DIRECTORY else f"{self.snapshot.source}#{path}"


def changed_first(units: Iterable[UnitKey], old: Publication | None, new: Publication) -> list[UnitKey]:
    """The units in order, but first those whose deployment says something else than before: a release waits for no other."""
    before, now = old.declared.deployments if old else {}, new.declared.deployments
    return sorted(units, key=lambda unit: (before.get(unit.deployment) == now.get(unit.deployment), unit))


class SourceLoop:
    """Looks at a source every `interval` seconds and whenever it is woken; an error changes nothing that runs."""

    def __init__(self, source: Source, publish: Callable[[Publication], None], observer: Observer, interval: float) -> None:
        self._source = source
        self._publish = publish
        self._observer = observer
        self._interval = interval
        self._wake = threading.Event()
        self._stop = threading.Event()
        self.thread = threading.Thread(target=self._run, name=f"source-{source.name}", daemon=True)
        self.error: str | None = None

    def start(self) -> None:
        self.thread.start()

    def wake(self) -> None:
        """Look now: a hint from a watcher, a webhook or a person."""
        self._wake.set()

    def stop(self, timeout: float = 5.0) -> None:
        self._stop.set()
        self._wake.set()
        self.thread.join(timeout)

    def _run(self) -> None:
        token, failures = "", 0
        while True:
            self._wake.clear()
            if self._stop.is_set():  # `stop` may have woken us before we cleared that
                return
            try:
                current = self._source.token()
                if current != token:
                    self._publish(self._read())
                    token = current
                self.error, failures, pause = None, 0, self._interval
            except Exception as error:
                # A fault of ours included: this thread is the only one that reads the source, so it never ends.
                failures += 1
                self.error = told(error)
                pause = min(pause_after(error, failures, random.Random()), self._interval * 4)  # noqa: S311  jitter, no secret
                expected = isinstance(error, (PointsmanError, OSError))
                _log.warning("source %s: %s", self._source.name, self.error, exc_info=None if expected else error)
            self._wake.wait(pause)

    def _read(self) -> Publication:
        snapshot = self._source.snapshot()
        self._observer(Step.SNAPSHOT_READ)
        return Publication(self._source, snapshot, load(snapshot, uncommitted=snapshot.local))

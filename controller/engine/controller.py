"""The controller: sources are followed, units queued, passes run; every trigger only adds a key."""

from __future__ import annotations

import logging
import random
import threading
from collections import defaultdict
from collections.abc import Sequence

from controller.engine.builds import Builds
from controller.engine.cache import TargetCache
from controller.engine.observe import cached_records
from controller.engine.passes import Passes, PassResult
from controller.engine.planning import UnitWork, units_of
from controller.engine.queue import WorkQueue
from controller.engine.retry import RESYNC, pause_after
from controller.engine.sources import Publication, Source, SourceLoop, changed_first
from controller.engine.steps import Observer, unobserved
from controller.engine.targets import Target
from controller.model.errors import PointsmanError, Unavailable
from controller.model.identity import UnitKey
from controller.model.images import BuildFailure
from controller.model.ports import HistoryStore, Progress
from controller.plan.memory import forgiven
from controller.state.records import Records

LISTING_TIMEOUT = 5.0
"""Seconds that a publication waits for the target's objects; without them nobody knows what left git since the last run."""
UNLISTED_PAUSE = 0.5
"""Seconds until a unit is tried again on a target whose objects are not all known yet: an absence means nothing then."""
_log = logging.getLogger(__name__)


def _silent(what: str, done: int, total: int) -> None:
    """Progress that nobody watches."""


class Controller:
    """One target and the sources that are served on it. `start`, then it works until `stop`."""

    def __init__(
        self,
        target: Target,
        sources: Sequence[Source],
        history: HistoryStore,
        *,
        interval: float = 5.0,
        workers: int = 2,
        progress: Progress = _silent,
        observer: Observer = unobserved,
    ) -> None:
        self._target = target
        self._builds = Builds(progress, observer)
        self._queue: WorkQueue[UnitKey] = WorkQueue()
        self._passes = Passes(self._builds, history, observer, self._queue.add)
        self._cache = TargetCache(target.client, self._object_changed)
        self._loops = [SourceLoop(source, self._publish, observer, interval) for source in sources]
        self._lock = threading.Lock()
        self._publications: dict[str, Publication] = {}
        self._units: dict[str, UnitKey] = {}
        self._attempts: dict[UnitKey, int] = defaultdict(int)
        self._results: dict[UnitKey, PassResult] = {}
        self._threads = [threading.Thread(target=self._work, name=f"pass-{n}", daemon=True) for n in range(workers)]

    def start(self) -> None:
        """Fill the cache, then follow the sources. Returns at once."""
        self._cache.start()
        for thread in self._threads:
            thread.start()
        for loop in self._loops:
            loop.start()

    def stop(self, timeout: float = 10.0) -> None:
        """Finish the passes that run; what is queued stays for the next start."""
        for loop in self._loops:
            loop.stop(timeout)
        self._queue.close()
        for thread in self._threads:
            thread.join(timeout)
        self._passes.close()
        self._builds.close()
        self._cache.stop()

    def wake(self) -> None:
        """Something may have changed in a source: look now."""
        for loop in self._loops:
            loop.wake()

    def reconcile(self, deployment: str | None = None) -> list[str]:
        """A person asks for another try: forget what was given up and failed, and look again. Returns the units."""
        self._builds.forget_failures()
        asked = [unit for unit in self.units() if deployment in (None, unit.deployment)]
        for unit in asked:
            Records(self._target.client, self._cache.note).change(unit, forgiven)
            self._queue.add(unit)
        return [str(unit) for unit in asked]

    def units(self) -> tuple[UnitKey, ...]:
        """Every unit that is declared or has a record on the target."""
        with self._lock:
            return tuple(sorted(self._units.values()))

    def result(self, unit: UnitKey) -> PassResult | None:
        """The newest pass over a unit."""
        with self._lock:
            return self._results.get(unit)

    def publications(self) -> tuple[Publication, ...]:
        with self._lock:
            return tuple(self._publications.values())

    def build_failures(self) -> tuple[BuildFailure, ...]:
        """The images that could not be built and are not tried again yet."""
        return self._builds.failures()

    def source_errors(self) -> tuple[str, ...]:
        """Why sources cannot be read at the moment; what runs is not touched by it."""
        return tuple(loop.error for loop in self._loops if loop.error)

    # triggers

    def _publish(self, publication: Publication) -> None:
        if not self._cache.wait(LISTING_TIMEOUT):
            raise Unavailable(f"the objects of target {self._target.name} cannot be listed, so nothing is done yet")
        found = units_of(publication, self._cache)
        with self._lock:
            previous = self._publications.get(publication.snapshot.source)
            self._publications[publication.snapshot.source] = publication
            self._units.update({unit.hash: unit for unit in found})
        for unit in changed_first(self.units(), previous, publication):
            self._queue.add(unit)

    def _object_changed(self, unit_hash: str) -> None:
        with self._lock:
            unit = self._units.get(unit_hash)
        if unit:
            self._queue.add(unit)

    # passes

    def _work(self) -> None:
        while (unit := self._queue.take()) is not None:
            try:
                self._queue.add(unit, self._pass(unit))
            finally:
                self._queue.done(unit)

    def _pass(self, unit: UnitKey) -> float:
        if not self._cache.complete:
            return UNLISTED_PAUSE
        try:
            work = self._unit_work(unit)
            if work is None:
                return RESYNC
            result = self._passes.run(work)
        except PointsmanError as error:
            _log.info("pass over %s ended: %s", unit, error)
            return self._pause(unit, error)
        except Exception as error:
            # A fault of ours in one unit is told and tried again later; it must not end the worker of all others.
            _log.exception("pass over %s", unit)
            return self._pause(unit, error)
        with self._lock:
            self._results[unit] = result
        if result.error:
            return self._pause(unit, result.error)
        self._attempts.pop(unit, None)
        return result.again

    def _pause(self, unit: UnitKey, error: Exception) -> float:
        self._attempts[unit] += 1
        return pause_after(error, self._attempts[unit], random.Random())  # noqa: S311  jitter, no secret

    def _unit_work(self, unit: UnitKey) -> UnitWork | None:
        publication = self._publication_of(unit)
        return UnitWork(unit, self._target, self._cache, publication) if publication else None

    def _publication_of(self, unit: UnitKey) -> Publication | None:
        """The source that declares the unit's project, or declared it when its record was written."""
        with self._lock:
            known = tuple(self._publications.values())
        for publication in known:
            if (publication.declared.owner, publication.declared.project) == (unit.owner, unit.project):
                return publication
        sources = {record.unit: record.source for record in cached_records(self._cache)}
        return next((p for p in known if p.snapshot.source == sources.get(unit)), None)

"""One target at work: its cache, its queue and its workers. A target that is slow or dead delays no other."""

from __future__ import annotations

import logging
import random
import threading
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from controller.engine.announce import Announcer
from controller.engine.builds import Builds
from controller.engine.cache import TargetCache, kinds_of
from controller.engine.desire import Move
from controller.engine.needed_images import NAMING, digests_on
from controller.engine.observe import cached_record, cached_records
from controller.engine.passes import Passes, PassResult
from controller.engine.planning import UnitWork, is_held
from controller.engine.publications import Publications, recorded_units
from controller.engine.queue import WorkQueue
from controller.engine.reporting import Reporter
from controller.engine.retry import RESYNC, pause_after, told
from controller.engine.sight import Sight
from controller.engine.sources import Publication, changed_first
from controller.engine.steps import Observer
from controller.engine.targets import RESTING, Target
from controller.model import labels
from controller.model.errors import PointsmanError, Stalled, Unavailable
from controller.model.identity import UnitKey
from controller.model.objects import annotation
from controller.model.ports import HistoryStore
from controller.plan.memory import forgiven
from controller.state.records import Records

COALESCED = 0.02
"""Seconds for which watch events are gathered: a rollout sends many at once."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the loops of all targets share: what is declared, and what a unit that left one target is on another.

    `is_served(target, unit, publication)` says whether a unit is settled elsewhere, `settled(target, unit)` is told.
    """

    publications: Publications
    history: HistoryStore
    observer: Observer
    is_served: Callable[[str, UnitKey, Publication], bool]
    settled: Callable[[str, UnitKey], None]
    instance: str = "pointsman"
    """Who writes Events: the name of this process, such as its pod."""


class TargetLoop:
    """Runs the passes over every unit that is declared for a target or has a record there. `start`, then until `stop`."""

    def __init__(self, target: Target, surroundings: Surroundings, builds: Builds, workers: int) -> None:
        self.target = target
        self._around = surroundings
        self._builds = builds
        self._queue: WorkQueue[UnitKey] = WorkQueue()
        self._announcer = None if target.profile.kind == "embedded" else Announcer(target.client, surroundings.instance)
        self._reporter = Reporter(surroundings.history, self._announcer)
        self._passes = Passes(builds, self._reporter, surroundings.observer, self.add)
        kinds = kinds_of(target.profile)
        self._cache = TargetCache(target.client, self._object_changed, self._listed, kinds=kinds, name=target.name)
        self._sight = Sight(target, self._cache)
        self._lock = threading.Lock()
        self._units: dict[str, UnitKey] = {}
        self._attempts: dict[UnitKey, int] = defaultdict(int)
        self._results: dict[UnitKey, PassResult] = {}
        self._words: dict[UnitKey, str] = {}
        self._ending = threading.Event()
        names = [f"pass-{target.name}-{number}" for number in range(workers)]
        self._threads = [threading.Thread(target=self._work, name=name, daemon=True) for name in names]

    def start(self) -> None:
        """Fill the cache; the first passes begin once it is complete. Returns at once."""
        self._cache.start()
        if self._announcer:
            self._announcer.start()
        for thread in self._threads:
            thread.start()

    def stop(self, timeout: float) -> None:
        """Finish the passes that run; what is queued stays for the next start."""
        self._ending.set()
        self._queue.close()
        for thread in self._threads:
            thread.join(timeout)
        self._passes.close()
        if self._announcer:
            self._announcer.stop(timeout)
        self._cache.stop()

    def add(self, unit: UnitKey) -> None:
        """Have a unit looked at now."""
        self._queue.add(unit)

    def published(self, before: Publication | None, now: Publication) -> None:
        """A source says something new. Nothing waits here for a target whose objects are not known yet."""
        if self._cache.complete:
            self._look_at_units(before, now)

    def reconcile(self, deployment: str | None) -> list[UnitKey]:
        """A person asks for another try: forget what was given up and failed, and look again. Returns the units."""
        self._doubt_what_is_known()
        asked = [unit for unit in self.units() if deployment in (None, unit.deployment)]
        for unit in asked:
            Records(self.target.client, self._cache.note).change(unit, forgiven)
            self.add(unit)
        return asked

    def units(self) -> tuple[UnitKey, ...]:
        """Every unit that is declared for the target or has a record there."""
        with self._lock:
            return tuple(sorted(self._units.values()))

    def has(self, unit: UnitKey) -> bool:
        with self._lock:
            return unit.hash in self._units

    def result(self, unit: UnitKey) -> PassResult | None:
        """The newest pass over a unit."""
        with self._lock:
            return self._results.get(unit)

    def serves(self, unit: UnitKey, publication: Publication) -> bool:
        """Whether a unit is settled here as a publication says; where another process leads, its record says so."""
        if not self.target.leads():
            return self._cache.complete and self._passes.is_recorded(publication, cached_record(self._cache, unit))
        result = self.result(unit)
        return bool(result and result.publication is publication and result.plan.is_settled and not result.error)

    def errors(self) -> tuple[str, ...]:
        """Why the target cannot be read at the moment; what runs there is not touched by it."""
        return tuple(f"target {self.target.name}: {error}" for error in self._cache.errors())

    def named_digests(self) -> frozenset[str]:
        """Every digest that a record or a workload of ours on the target names.

        Raises Unavailable unless all of it is known now, which is so whoever leads there.
        """
        if not self._cache.complete:
            raise Unavailable(f"target {self.target.name}: its objects are not all known yet")
        for error in self._cache.errors(NAMING):
            raise Unavailable(f"target {self.target.name}: {error}")
        return digests_on(self._cache)

    def image_gone(self, project: str, tags: Sequence[str], message: str) -> int:
        """An image of a project was deleted: it is looked for again where it is needed after all. How many units were told."""
        self._builds.doubt(f"{self.target.profile.registry}/{project}", tags)
        concerned = [unit for unit in self.units() if f"{unit.owner}/{unit.project}" == project]
        for unit in concerned:
            self._reporter.tell_image_gone(unit, self._cache.record(unit.hash), tags[0], message)
        return len(concerned)

    @property
    def threads(self) -> tuple[threading.Thread, ...]:
        """What works until `stop`: without one of these, units or a kind of object would be looked at no more."""
        return (*self._threads, *self._cache.threads)

    @property
    def is_listed(self) -> bool:
        """Whether everything of ours on the target is known: before that an absence means nothing."""
        return self._cache.complete

    # triggers

    def _listed(self) -> None:
        for publication in self._around.publications.all():
            self._look_at_units(None, publication)

    def _object_changed(self, unit_hash: str) -> None:
        with self._lock:
            unit = self._units.get(unit_hash)
        if unit:
            self._queue.add(unit, COALESCED)
            if not self.target.leads():  # whoever does may just have settled it
                self._around.settled(self.target.name, unit)

    def _look_at_units(self, before: Publication | None, now: Publication) -> None:
        publications = self._around.publications
        recorded = recorded_units(cached_records(self._cache), publications.all())
        found = publications.declared_on(self.target.name) | recorded
        with self._lock:
            known = set(self._units.values())
            self._units = {unit.hash: unit for unit in found | known}
        for unit in changed_first(found | known, before, now):
            self._queue.add(unit)

    # passes

    def _work(self) -> None:
        while self._waits_to_lead() and (unit := self._queue.take()) is not None:
            try:
                again = self._pass(unit)
                if again is not None:
                    self._queue.add(unit, again)
            finally:
                self._queue.done(unit)

    def _waits_to_lead(self) -> bool:
        """Rest while another process leads, however many units there are; False once this loop is to end."""
        while not self.target.leads():
            if self._ending.wait(RESTING):
                return False
        return True

    def _pass(self, unit: UnitKey) -> float | None:
        """Seconds until the unit is looked at again; None for one that is nobody's any more."""
        if not self._cache.complete or not self.target.leads():
            return RESTING
        try:
            self._hear(unit)
            work = self._unit_work(unit)
            if work is None:
                return self._forgotten(unit)
            result = self._passes.run(work)
        except PointsmanError as error:
            level = logging.WARNING if isinstance(error, Stalled) else logging.INFO
            _log.log(level, "pass over %s on %s ended: %s", unit, self.target.name, told(error))
            return self._pause(unit, error)
        except Exception as error:
            # A fault of ours in one unit is told and tried again later; it must not end the worker of all others.
            _log.exception("pass over %s on %s", unit, self.target.name)
            return self._pause(unit, error)
        with self._lock:
            self._results[unit] = result
        if result.error:
            return self._pause(unit, result.error)
        self._attempts.pop(unit, None)
        if result.plan.is_settled and work.is_declared:
            self._around.settled(self.target.name, unit)
        return result.again

    def _hear(self, unit: UnitKey) -> None:
        """A person may leave word on the record without reaching this process; what was said before the start is done."""
        record = self._cache.record(unit.hash)
        word = (record and annotation(record, labels.REQUESTED)) or ""
        if self._words.setdefault(unit, word) != word:
            self._words[unit] = word
            self._doubt_what_is_known()

    def _doubt_what_is_known(self) -> None:
        """Ask anew for images and Secrets: a person says that something may be different."""
        self._builds.look_again()
        self._sight.secrets.forget_all()

    def _pause(self, unit: UnitKey, error: Exception) -> float:
        self._attempts[unit] += 1
        self._sight.namespaces.doubt(self.target.profile.namespace_of(unit))
        return pause_after(error, self._attempts[unit], random.Random())  # noqa: S311  jitter, no secret

    def _unit_work(self, unit: UnitKey) -> UnitWork | None:
        record = cached_record(self._cache, unit)
        publication = self._around.publications.of_unit(unit, record.source)
        if publication is None:
            return None
        place = self._around.publications.target_of(unit, publication)
        if place == self.target.name:
            return UnitWork(unit, self._sight, publication)
        if record.resource_version is None and not self._cache.knows(unit.hash) and not is_held(publication, unit):
            return None
        if place is None:
            return UnitWork(unit, self._sight, publication)
        return UnitWork(unit, self._sight, publication, Move(place, self._around.is_served(place, unit, publication)))

    def _forgotten(self, unit: UnitKey) -> float | None:
        """A unit that nobody declares here and that has nothing here is not looked at any more."""
        if cached_record(self._cache, unit).resource_version is not None:
            return RESYNC
        with self._lock:
            self._units.pop(unit.hash, None)
            self._results.pop(unit, None)
            self._words.pop(unit, None)
        self._sight.secrets.forget(unit)
        return None

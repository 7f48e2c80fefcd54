"""The controller: sources are followed, targets served; every trigger only adds a unit to a target's queue."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Sequence

from controller.engine.builds import Builds
from controller.engine.grants import Granted
from controller.engine.passes import PassResult
from controller.engine.placing import Placing
from controller.engine.publications import Publications
from controller.engine.sources import Publication, SourceLoop
from controller.engine.steps import Observer, unobserved
from controller.engine.target_loop import Surroundings, TargetLoop
from controller.engine.targets import Target
from controller.model.errors import Unavailable
from controller.model.identity import UnitKey
from controller.model.images import BuildFailure
from controller.model.ports import HistoryStore, ImageBuilder, Progress


def _silent(what: str, done: int, total: int) -> None:
    """Progress that nobody watches."""


class Controller:
    """Targets and the sources that are served on them. `start`, then it works until `stop`.

    `default` is the target of deployments that name none (a single target is it without being named); `everywhere` maps
    whatever is declared to the only one. `configured` names targets that are not open yet: `add_target` brings them, and
    until then nothing that is declared for them is a mistake. `instance` names this process in Kubernetes Events.
    """

    def __init__(
        self,
        targets: Sequence[Target],
        sources: Iterable[Granted],
        history: HistoryStore,
        *,
        default: str | None = None,
        everywhere: bool = False,
        configured: Collection[str] = (),
        interval: float = 5.0,
        workers: int = 8,
        instance: str = "pointsman",
        progress: Progress = _silent,
        observer: Observer = unobserved,
    ) -> None:
        followed = tuple(sources)
        names = frozenset({target.name for target in targets} | set(configured))
        only = next(iter(names)) if len(names) == 1 else None
        self._publications = Publications(followed, Placing(names, default or only, everywhere))
        self._around = Surroundings(self._publications, history, observer, self._is_served, self._settled, instance)
        self._workers = workers
        self._progress = progress
        self._observer = observer
        self._sources = [SourceLoop(granted.source, self._publish, observer, interval) for granted in followed]
        self._lock = threading.Lock()
        self._builds: dict[int, tuple[ImageBuilder, Builds]] = {}
        self._targets: dict[str, TargetLoop] = {}
        self._is_started = False
        for target in targets:
            self._targets[target.name] = self._loop(target)

    def start(self) -> None:
        """Fill the caches and follow the sources. Returns at once."""
        with self._lock:
            self._is_started = True
            loops = tuple(self._targets.values())
        for loop in loops:
            loop.start()
        for source in self._sources:
            source.start()

    def add_target(self, target: Target) -> None:
        """Serve one more target from now on: one whose cluster answered only after the start."""
        loop = self._loop(target)
        with self._lock:
            self._targets[target.name] = loop
            is_started = self._is_started
        if is_started:
            loop.start()

    def stop(self, timeout: float = 10.0) -> None:
        """Finish the passes that run; what is queued stays for the next start."""
        for source in self._sources:
            source.stop(timeout)
        for loop in self._loops():
            loop.stop(timeout)
        for builds in self._all_builds():
            builds.close()

    def wake(self) -> None:
        """Something may have changed in a source: look now."""
        for source in self._sources:
            source.wake()

    def reconcile(self, deployment: str | None = None) -> list[str]:
        """A person asks for another try: forget what was given up and failed, and look again. Returns the units."""
        return sorted({str(unit) for loop in self._loops() for unit in loop.reconcile(deployment)})

    def units(self) -> tuple[UnitKey, ...]:
        """Every unit that is declared or has a record on a target."""
        return tuple(sorted({unit for loop in self._loops() for unit in loop.units()}))

    def result(self, unit: UnitKey, target: str | None = None) -> PassResult | None:
        """The newest pass over a unit: on a target, or on the one that it is declared for, or else on any."""
        loops = self._loops()
        if target is None:
            found = self._publications.of_unit(unit, "")
            target = self._publications.target_of(unit, found) if found else None
        first = [loop for loop in loops if loop.target.name == target] or loops
        return next((result for loop in first if (result := loop.result(unit))), None)

    def results(self) -> tuple[tuple[str, PassResult], ...]:
        """The newest pass over every unit on every target, with the target's name."""
        return tuple(
            (loop.target.name, result) for loop in self._loops() for unit in loop.units() if (result := loop.result(unit))
        )

    def loops(self, names: Collection[str]) -> tuple[TargetLoop, ...]:
        """These targets at work, in order. Raises Unavailable for one that is not open."""
        opened = {loop.target.name: loop for loop in self._loops()}
        for name in names:
            if name not in opened:
                raise Unavailable(f"target {name}: it is not connected yet")
        return tuple(opened[name] for name in names)

    def publications(self) -> tuple[Publication, ...]:
        return self._publications.all()

    def build_failures(self) -> tuple[BuildFailure, ...]:
        """The images that could not be built and are not tried again yet."""
        return tuple(failure for builds in self._all_builds() for failure in builds.failures())

    def source_errors(self) -> tuple[str, ...]:
        """Why sources cannot be read at the moment; what runs is not touched by it."""
        return tuple(source.error for source in self._sources if source.error)

    def target_errors(self) -> tuple[str, ...]:
        """Why targets cannot be read at the moment; what runs there goes on, and the others are served."""
        opened = {loop.target.name: loop for loop in self._loops()}
        missing = sorted(self._publications.placing.names - opened.keys())
        waiting = tuple(f"target {name}: it is not connected yet" for name in missing)
        return (*waiting, *(error for loop in opened.values() for error in loop.errors()))

    def ended(self) -> tuple[str, ...]:
        """The threads that ended although nothing ends them before `stop`: only a new process helps."""
        threads = (*(source.thread for source in self._sources), *(t for loop in self._loops() for t in loop.threads))
        return tuple(thread.name for thread in threads if thread.ident is not None and not thread.is_alive())

    def is_ready(self) -> bool:
        """Whether everything of ours on every open target is known."""
        return all(loop.is_listed for loop in self._loops())

    def _publish(self, publication: Publication) -> None:
        before, now = self._publications.publish(publication)
        for loop in self._loops():
            loop.published(before, now)

    def _settled(self, target: str, unit: UnitKey) -> None:
        """What a unit left elsewhere may go now."""
        for loop in self._loops():
            if loop.target.name != target and loop.has(unit):
                loop.add(unit)

    def _is_served(self, target: str, unit: UnitKey, publication: Publication) -> bool:
        with self._lock:
            loop = self._targets.get(target)
        return loop is not None and loop.serves(unit, publication)

    def _loop(self, target: Target) -> TargetLoop:
        return TargetLoop(target, self._around, self._builds_of(target.builder), self._workers)

    def _builds_of(self, builder: ImageBuilder) -> Builds:
        """Targets that share a builder share what is known of its images."""
        with self._lock:
            if id(builder) not in self._builds:
                self._builds[id(builder)] = builder, Builds(self._progress, self._observer)
            return self._builds[id(builder)][1]

    def _loops(self) -> tuple[TargetLoop, ...]:
        with self._lock:
            return tuple(self._targets.values())

    def _all_builds(self) -> tuple[Builds, ...]:
        with self._lock:
            return tuple(builds for _, builds in self._builds.values())

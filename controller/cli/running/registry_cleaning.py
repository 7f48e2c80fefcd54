"""Deletes, now and then, the images that nothing needs any more, where the configuration says so."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Collection, Iterable, Mapping
from functools import partial

from controller.cli.running.cluster_target import ClusterTargets
from controller.cli.running.regularly import Regularly
from controller.engine.clean_up import CleanedRegistry, RegistryCleanUp
from controller.engine.controller import Controller
from controller.engine.retry import told
from controller.model.configuration import Configuration, TargetSettings, sharing_registries
from controller.model.errors import PointsmanError, Transient, Unavailable, Waiting
from controller.plan.clean_up import window
from controller.source.polled import PolledMirror

EVERY = 6 * 3600.0
"""Seconds between two rounds, give or take `SPREAD`; a shorter window is looked at four times."""
SPREAD = 0.2
FIRST = 600.0
"""Seconds until the first round: by then what runs and what is declared is known."""
PATIENCE = 60.0
"""Seconds for which sources are waited for that are asked at the beginning of a round."""
_TICK = 0.1
_log = logging.getLogger(__name__)


class RegistryCleaning(Regularly):
    """A context manager; inside it, the registries with `cleanUp` are cleaned. `troubles` says what is in the way."""

    def __init__(
        self,
        configuration: Configuration,
        only: Collection[str],
        controller: Controller,
        clusters: ClusterTargets,
        sources: Mapping[str, PolledMirror],
    ) -> None:
        self._configuration = configuration
        self._controller = controller
        self._clusters = clusters
        self._sources = sources
        self._registries = tuple(self._cleaned(only))
        self._begun = float("-inf")
        self._rounds = 0
        self.troubles: tuple[str, ...] = ()
        shortest = min((registry.keep / 4 for registry, _ in self._registries), default=EVERY)
        super().__init__("registry-cleaning", self._clean_all, min(EVERY, shortest))

    def pause(self) -> float:
        usual = self._every if self._rounds else min(FIRST, self._every)
        return usual * random.uniform(1 - SPREAD, 1 + SPREAD)  # noqa: S311  jitter, no secret

    def _cleaned(self, only: Collection[str]) -> Iterable[tuple[CleanedRegistry, RegistryCleanUp]]:
        for group in sharing_registries(self._configuration.targets.values()):
            registry = group[0].registry
            if registry is None or registry.clean_up is None:
                continue
            absent = [target.name for target in group if only and target.name not in only]
            if absent:
                _log.warning("no image of %s is deleted: another process has target %s", registry.pull, ", ".join(absent))
                continue
            made = self._registry(group, registry.pull, registry.clean_up.keep)
            yield made, RegistryCleanUp(made, self._controller)

    def _registry(self, group: tuple[TargetSettings, ...], name: str, keep: float) -> CleanedRegistry:
        first = group[0]
        return CleanedRegistry(
            name,
            tuple(target.name for target in group),
            keep,
            lambda project: self._clusters.shelf(first, project, self._tick),
            partial(self._clusters.memory, first),
            self._require_fresh,
        )

    def _clean_all(self) -> None:
        if not self._registries:
            return
        self._rounds += 1
        self._ask_sources()
        found: list[str] = []
        for registry, clean_up in self._registries:
            found += self._clean(registry, clean_up)
        if self.is_ending:  # what was in the way is that
            return
        for trouble in found:
            if trouble not in self.troubles:
                _log.warning("%s", trouble)
        self.troubles = tuple(found)

    def _clean(self, registry: CleanedRegistry, clean_up: RegistryCleanUp) -> list[str]:
        begun = f"images of {registry.name} that nothing has needed for {window(registry.keep)} are not deleted"
        try:
            return [f"{begun}: {trouble}" for trouble in clean_up.round(time.time())]
        except Waiting as error:
            _log.debug("%s: %s", begun, error)
        except PointsmanError as error:
            return [f"{begun}: {told(error)}"]
        except Exception as error:
            # A fault of ours, in a thread that nobody else would restart: told, and tried again.
            _log.exception("%s", begun)
            return [f"{begun}: {told(error)}"]
        return []

    def _ask_sources(self) -> None:
        """Have every source looked at now, and published; one that does not answer in time is told for its projects."""
        self._begun = time.monotonic()
        for source in self._sources.values():
            source.look()
        deadline = self._begun + PATIENCE
        while time.monotonic() < deadline and not self.is_ending:
            if all(self._is_fresh(source) for source in self._sources.values()):
                return
            self._stop.wait(_TICK)

    def _require_fresh(self, project: str) -> None:
        for name, source in self._sources.items():
            grants = self._configuration.sources[name].grants
            if grants.allows_project(project) and not self._is_fresh(source):
                why = source.error.message if source.error else "it was not read in time"
                raise Unavailable(
                    f"source {name}, which may declare it, cannot be read: {why}", hint="the next round tries again"
                )

    def _is_fresh(self, source: PolledMirror) -> bool:
        """Whether it was read since this round began, and what it says is what the controller works with."""
        if not source.was_read_since(self._begun):
            return False
        return any(p.source is source and p.snapshot.revision == source.revision for p in self._controller.publications())

    def _tick(self) -> None:
        if self.is_ending:
            raise Transient("the controller is ending")

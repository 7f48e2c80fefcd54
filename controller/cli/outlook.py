"""What git wants of each unit now, planned in the same way as by the controller's own passes; nothing is written."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from controller.cli.context import Place, environment
from controller.cli.controller_word import ControllerWord
from controller.cli.profile import embedded_profile
from controller.cli.runtime.kept import kept_runtime
from controller.cli.runtime.parts import image_builder
from controller.dockerd.engine import LateEngine
from controller.engine.builds import Builds
from controller.engine.cache import TargetCache
from controller.engine.desire import Desire
from controller.engine.observe import cached_record, cached_records
from controller.engine.planning import PlannedUnit, UnitWork, plan_unit, units_of
from controller.engine.sight import Sight
from controller.engine.sources import Publication
from controller.engine.targets import Target
from controller.loading.loader import load
from controller.model.declared import DeclaredState
from controller.model.diagnostics import Diagnostic
from controller.model.errors import PointsmanError
from controller.model.identity import UnitKey
from controller.model.ports import ClusterClient
from controller.source.local import WorkingDirectory


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a source says now. Without `declared` it could not be read, and `error` says why (or nothing is declared)."""

    units: Mapping[UnitKey, PlannedUnit]
    declared: DeclaredState | None = None
    error: str | None = None

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        return self.declared.diagnostics if self.declared else ()


class Looker:
    """Reads a place's source again only when it changed. A context manager, because it keeps git's processes at hand."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._builds = Builds(_silent)
        self._desire = Desire(self._builds)
        self._engine = LateEngine(environment())
        self._sources: dict[bool, WorkingDirectory] = {}
        self._published: dict[bool, tuple[str, Publication]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._builds.close()
        self._engine.close()
        for source in self._sources.values():
            source.close()

    def look(self, client: ClusterClient, cache: TargetCache, word: ControllerWord) -> Outlook:
        """Every unit of the source, planned against what was seen and with what the controller says of itself."""
        if not self._place.has_declared_tree:
            return Outlook({})
        try:
            publication = self._publication(committed=word.committed)
        except PointsmanError as error:
            return Outlook({}, error=error.message)
        self._builds.take_failures(word.build_failures)
        state = self._place.state
        builder = image_builder(kept_runtime(state), state, self._engine, environment(), allow_file_urls=True)
        target = Target(embedded_profile(state), client, builder, lambda: ())
        sight = Sight(target, cache)
        works = [UnitWork(unit, sight, publication) for unit in units_of(publication, cached_records(cache))]
        now = time.time()
        records = {work.unit: cached_record(cache, work.unit) for work in works}
        planned = {work.unit: plan_unit(work, self._desire, records[work.unit], now, ask_all=True) for work in works}
        return Outlook(planned, publication.declared)

    def is_ancestor(self, old: str, new: str) -> bool:
        """Whether commit `new` can reach commit `old`. Only after a look."""
        return any(source.is_ancestor(old, new) for source in list(self._sources.values())[:1])

    def _publication(self, *, committed: bool) -> Publication:
        if committed not in self._sources:
            state = self._place.state.git
            self._sources[committed] = WorkingDirectory(self._place.source, state=state, committed=committed)
        source = self._sources[committed]
        token = source.token()
        known = self._published.get(committed)
        if known is None or known[0] != token:
            snapshot = source.snapshot()
            declared = load(snapshot, uncommitted=snapshot.local)
            known = self._published[committed] = token, Publication(source, snapshot, declared)
        return known[1]


def _silent(what: str, done: int, total: int) -> None:
    """Nothing is built here, so there is no progress."""

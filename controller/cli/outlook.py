"""What git wants of each unit now, judged by the same pure function as the controller's own passes; nothing is written."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from controller.cli.context import Place, environment
from controller.cli.observation import Observation, secret_keys
from controller.cli.profile import embedded_profile
from controller.engine.builds import Builds
from controller.engine.desire import Desire
from controller.engine.passes import holding_diagnostics
from controller.engine.sources import Publication
from controller.engine.targets import Target
from controller.images.builder import LayoutBuilder
from controller.loading.loader import load
from controller.model import labels
from controller.model.changes import Plan
from controller.model.declared import DeclaredState
from controller.model.desired import DesiredState
from controller.model.diagnostics import Diagnostic
from controller.model.errors import PointsmanError
from controller.model.identity import UnitKey
from controller.model.objects import Object, annotation, at
from controller.model.ports import ClusterClient
from controller.model.routes import backend_of
from controller.plan.planner import held_plan, plan
from controller.source.local import WorkingDirectory


@dataclass(frozen=True, slots=True)
class UnitOutlook:
    """One unit's plan; `desired` is None where a mistake holds the whole unit."""

    plan: Plan
    desired: DesiredState | None


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a source says now. Without `declared` it could not be read, and `error` says why (or nothing is declared)."""

    units: Mapping[UnitKey, UnitOutlook]
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
        state = place.state
        self._builder = LayoutBuilder(state.images, state.cache, allow_file_urls=True, environment=environment())
        self._sources: dict[bool, WorkingDirectory] = {}
        self._published: dict[bool, tuple[str, Publication]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._builds.close()
        for source in self._sources.values():
            source.close()

    def look(self, client: ClusterClient, seen: Observation) -> Outlook:
        """Every unit of the source, planned against what was seen."""
        if not self._place.has_declared_tree:
            return Outlook({})
        try:
            publication = self._publication(committed=follows_commits(seen))
        except PointsmanError as error:
            return Outlook({}, error=error.message)
        target = Target(embedded_profile(self._place.state), client, self._builder, ())
        units = _units(publication, seen)
        return Outlook({unit: self._plan(unit, target, publication, seen) for unit in units}, publication.declared)

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

    def _plan(self, unit: UnitKey, target: Target, publication: Publication, seen: Observation) -> UnitOutlook:
        record, now = seen.record(unit), time.time()
        if holding := holding_diagnostics(publication, unit):
            return UnitOutlook(held_plan(unit, str(publication.declared.revision), holding, record, now), None)
        desired = self._desire.of(unit, target, publication, record)
        names = (ref.secret for workload in desired.workloads.values() for ref in workload.secrets)
        return UnitOutlook(plan(desired, seen.of(unit, secret_keys(target.client, unit, names)), record, now), desired)


def follows_commits(seen: Observation) -> bool:
    """Whether the controller serves what is committed, not the files on the disk: what its aliases lead to knows its commit.

    A version's commit is provisional in a working directory, and `valohai-metadata.json` leaves a provisional one out.
    What no alias leads to may be left from an earlier run.
    """
    objects = [obj for unit in seen.objects.values() for obj in unit.values()]
    served = {backend_of(obj) for obj in objects if obj["kind"] == "HTTPRoute" and annotation(obj, labels.ALIAS)}
    texts = [_metadata(obj) for obj in objects if obj["kind"] == "Deployment" and obj["metadata"]["name"] in served]
    return bool(texts) and all('"commit": ""' not in text for text in texts)


def _metadata(deployment: Object) -> str:
    return str(at(deployment, "spec", "template", "metadata", "annotations", labels.METADATA, default=""))


def _units(publication: Publication, seen: Observation) -> Iterable[UnitKey]:
    """The declared units, those of their records, and those that a mistake holds."""
    declared = publication.declared
    named = {UnitKey(declared.owner, declared.project, name) for name in declared.deployments}
    named |= {record.unit for record in seen.records if record.source == publication.snapshot.source}
    held = (subject.name for subject in declared.held if subject.kind == "deployment")
    named |= {UnitKey(declared.owner, declared.project, name) for name in held if declared.owner}
    return sorted(named)


def _silent(what: str, done: int, total: int) -> None:
    """Nothing is built here, so there is no progress."""

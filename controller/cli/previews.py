"""The plans of a working directory without a controller: the same gathering, rendering and planning, and no write."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from controller.cli.context import Place, cluster_client
from controller.cli.profile import embedded_profile
from controller.cli.tree import working_directory
from controller.embedded.secrets import SecretFiles
from controller.embedded.store import EmbeddedStore
from controller.engine.builds import Builds
from controller.engine.cache import KINDS, TargetCache
from controller.engine.desire import Desire
from controller.engine.observe import cached_record, observe
from controller.engine.passes import UnitWork, holding_diagnostics
from controller.engine.sources import Publication
from controller.engine.targets import Target
from controller.images.builder import LayoutBuilder
from controller.loading.loader import load
from controller.model import labels
from controller.model.changes import Plan
from controller.model.declared import DeclaredState
from controller.model.identity import UnitKey
from controller.model.ports import ClusterClient
from controller.model.record import UnitRecord
from controller.plan.planner import held_plan, plan
from controller.state.record_format import from_config_map


@dataclass(frozen=True, slots=True)
class Preview:
    """What a controller would do with the files as they lie there. `is_new`: nothing was ever served from here."""

    declared: DeclaredState
    plans: tuple[Plan, ...]
    is_new: bool


def preview(place: Place, now: float) -> Preview:
    """Plan every unit of the working directory against its target, which is only read."""
    is_new = place.state.owner is None and not place.state.store.is_dir()
    with ExitStack() as opened:
        client = opened.enter_context(_empty_target(place) if is_new else cluster_client(place))
        source = opened.enter_context(working_directory(place))
        snapshot = source.snapshot()
        publication = Publication(source, snapshot, load(snapshot))
        builds = Builds(_silent, workers=1)
        opened.callback(builds.close)
        builder = LayoutBuilder(place.state.images, place.state.cache, allow_file_urls=True)
        target = Target(embedded_profile(place.state), client, builder, ())
        cache = _listed(client)
        plans = [_plan(UnitWork(unit, target, cache, publication), builds, now) for unit in _units(publication, cache)]
    return Preview(publication.declared, tuple(plans), is_new)


def _plan(work: UnitWork, builds: Builds, now: float) -> Plan:
    """As a pass does it, up to where it would begin to write."""
    record = cached_record(work.cache, work.unit)
    declared = work.publication.declared
    holding = holding_diagnostics(work.publication, work.unit)
    if holding:
        return held_plan(work.unit, str(declared.revision), holding, record, now)
    publication = replace(work.publication, declared=_resolved(declared, record))
    desired = Desire(builds).of(work.unit, work.target, publication, record)
    secrets = (reference.secret for workload in desired.workloads.values() for reference in workload.secrets)
    return plan(desired, observe(work.cache, work.target.client, work.unit, secrets), record, now)


def _resolved(declared: DeclaredState, record: UnitRecord) -> DeclaredState:
    """A commit that the unit's record knows is not provisional any more, wherever it is looked at from."""
    deployments = {}
    for name, deployment in declared.deployments.items():
        served = {
            version: replace(s, version=replace(s.version, provisional=s.version.commit != record.commits.get(version)))
            for version, s in deployment.versions.items()
        }
        deployments[name] = replace(deployment, versions=served)
    return replace(declared, deployments=deployments)


def _units(publication: Publication, cache: TargetCache) -> Sequence[UnitKey]:
    """Every deployment that is declared or held, and every unit of this source that has a record."""
    declared = publication.declared
    names = {*declared.deployments, *(s.name for s in declared.held if s.kind == "deployment")}
    records = (from_config_map(obj) for obj in cache.records())
    left = {record.unit for record in records if record.source == publication.snapshot.source}
    return sorted({*left, *(UnitKey(declared.owner, declared.project, name) for name in names)})


def _listed(client: ClusterClient) -> TargetCache:
    """Everything of ours on the target, read once and not followed."""
    cache = TargetCache(client, lambda _unit: None)
    for kind in KINDS:
        for obj in client.list(kind, labels={labels.MANAGED_BY: "pointsman"}).items:
            cache.note(obj)
    return cache


@contextmanager
def _empty_target(place: Place) -> Iterator[ClusterClient]:
    """A target on which nothing was ever served; the Secrets that were made for it are there."""
    secrets = SecretFiles(place.state.secrets)
    with (
        tempfile.TemporaryDirectory(prefix="pointsman-plan-") as directory,
        EmbeddedStore(Path(directory), secrets=secrets) as store,
    ):
        yield store


def _silent(_what: str, _done: int, _total: int) -> None:
    """A preview builds nothing."""

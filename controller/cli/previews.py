"""The plans of a working directory without a controller: the same gathering, rendering and planning, and no write."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from controller.cli.context import Place, cluster_client, environment
from controller.cli.finality import follows_branch
from controller.cli.profile import embedded_profile
from controller.cli.runtime.choice import expected
from controller.cli.runtime.kept import KeptRuntime, kept_runtime
from controller.cli.runtime.parts import PLACE, image_builder
from controller.cli.secrets_ahead import in_builds
from controller.cli.tree import working_directory
from controller.dockerd.engine import LateEngine
from controller.embedded.secrets import SecretFiles
from controller.embedded.state_directory import StateDirectory
from controller.embedded.store import EmbeddedStore
from controller.engine.builds import Builds
from controller.engine.cache import TargetCache
from controller.engine.desire import Desire
from controller.engine.grants import Granted, granted_state
from controller.engine.observe import cached_record, cached_records
from controller.engine.placing import Placing
from controller.engine.planning import UnitWork, plan_unit, units_of
from controller.engine.sight import Sight
from controller.engine.sources import Publication, Source
from controller.engine.targets import Target
from controller.loading.loader import load
from controller.model.changes import Plan
from controller.model.clean_up import Outlook
from controller.model.configuration import DOCKER
from controller.model.declared import DeclaredState
from controller.model.diagnostics import ordered
from controller.model.identity import UnitKey
from controller.model.ports import ClusterClient
from controller.source.addresses import with_granted_addresses


@dataclass(frozen=True, slots=True)
class Preview:
    """What a controller would do with the files as they lie there. `is_new`: nothing was ever served from here.

    `is_followed`: they are on a branch that is served, so what it has committed is final.
    """

    declared: DeclaredState
    plans: tuple[Plan, ...]
    is_new: bool
    is_followed: bool
    clean_up: Outlook | None = None
    """What would become of the images of a registry that is cleaned up."""


_OTHER_BRANCH = "this is not a branch that is served: what counts for the controller is the one that it follows"


def _no_registry(_publication: Publication, _now: float) -> Outlook | None:
    """Images that lie on this machine are looked after by their own cluster."""
    return None


@dataclass(frozen=True, slots=True)
class Previewed:
    """What a preview needs to know of its target, of the deployments that are served there, and of what they may use."""

    target: Target
    cache: TargetCache
    placing: Placing
    origin: str | None = None
    """What the controller calls this repository, where it reads it from elsewhere."""
    granted: Callable[[Source], Granted] = Granted
    """What the controller lets this repository use."""
    clean_up: Callable[[Publication, float], Outlook | None] = _no_registry


def preview(place: Place, now: float) -> Preview:
    """Plan every unit of the working directory against its target, which is only read."""
    is_new = place.state.owner is None and not place.state.store.is_dir()
    state = place.state
    kept = _expected(state) if is_new else kept_runtime(state)
    with _empty_target(place) if is_new else cluster_client(place) as client, closing(LateEngine(environment())) as engine:
        builder = image_builder(kept, state, engine, None, allow_file_urls=True)
        target = Target(embedded_profile(state, runtime=kept), client, builder, lambda: ())
        here = target.profile.name
        seen = Previewed(target, TargetCache.listed(client), Placing(frozenset({here}), here, everywhere=True))
        made = plans_for(place, lambda _: seen, now)
    return replace(made, is_new=is_new)


def _expected(state: StateDirectory) -> KeptRuntime:
    """The runtime with which this would be served for the first time."""
    choice = expected(environment())
    if choice.client is None:
        return kept_runtime(state)
    choice.client.close()
    return KeptRuntime(DOCKER, choice.platform, PLACE)


def plans_for(place: Place, look: Callable[[DeclaredState], Previewed], now: float) -> Preview:
    """Plan the working directory's units for the target that `look` finds, once it is known what is declared."""
    with ExitStack() as opened:
        source = opened.enter_context(working_directory(place))
        snapshot = source.snapshot()
        seen = look(load(snapshot))
        granted = seen.granted(source)
        snapshot = with_granted_addresses(snapshot, granted.file_prefixes)
        declared = granted_state(load(snapshot), granted, seen.placing, snapshot.path)
        publication = Publication(source, replace(snapshot, source=seen.origin or snapshot.source), declared)
        builds = Builds(_silent, workers=1)
        opened.callback(builds.close)
        desire, sight = Desire(builds), Sight(seen.target, seen.cache)
        units = units_of(publication, cached_records(seen.cache))
        works = [UnitWork(unit, sight, publication) for unit in units if _is_included(unit, declared, seen)]
        plans = [plan_unit(work, desire, cached_record(seen.cache, work.unit), now, ask_all=True).plan for work in works]
        leave = seen.target.profile.kind != "embedded"
        secrets = in_builds((spec for plan in plans for spec in plan.builds), source.code, leave=leave)
        declared = replace(declared, diagnostics=ordered((*declared.diagnostics, *secrets)))
        followed = follows_branch(place)
        clean_up = seen.clean_up(publication, now)
    if clean_up and not followed:
        clean_up = replace(clean_up, remarks=(*clean_up.remarks, _OTHER_BRANCH))
    return Preview(declared, tuple(plans), False, followed, clean_up)


def _is_included(unit: UnitKey, declared: DeclaredState, seen: Previewed) -> bool:
    """What is held or gone is planned where it has a record."""
    deployment = declared.deployments.get(unit.deployment)
    return deployment is None or seen.placing.target_of(deployment) == seen.target.profile.name


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

"""The plans of a working directory without a controller: the same gathering, rendering and planning, and no write."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from controller.cli.context import Place, cluster_client
from controller.cli.finality import follows_branch
from controller.cli.profile import embedded_profile
from controller.cli.tree import working_directory
from controller.embedded.secrets import SecretFiles
from controller.embedded.store import EmbeddedStore
from controller.engine.builds import Builds
from controller.engine.cache import TargetCache
from controller.engine.desire import Desire
from controller.engine.observe import cached_record, cached_records
from controller.engine.planning import UnitWork, plan_unit, units_of
from controller.engine.sight import Sight
from controller.engine.sources import Publication
from controller.engine.targets import Target
from controller.images.builder import LayoutBuilder
from controller.loading.loader import load
from controller.model.changes import Plan
from controller.model.declared import DeclaredState
from controller.model.ports import ClusterClient


@dataclass(frozen=True, slots=True)
class Preview:
    """What a controller would do with the files as they lie there. `is_new`: nothing was ever served from here.

    `is_followed`: they are on a branch that is served, so what it has committed is final.
    """

    declared: DeclaredState
    plans: tuple[Plan, ...]
    is_new: bool
    is_followed: bool


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
        target = Target(embedded_profile(place.state), client, builder, lambda: ())
        cache, desire = TargetCache.listed(client), Desire(builds)
        sight = Sight(target, cache)
        works = [UnitWork(unit, sight, publication) for unit in units_of(publication, cached_records(cache))]
        plans = [plan_unit(work, desire, cached_record(cache, work.unit), now, ask_all=True).plan for work in works]
    return Preview(publication.declared, tuple(plans), is_new, follows_branch(place))


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

"""A repository on an embedded target with a real gateway, passed over until nothing is left to do."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from bench.declared_repository import Shape, write_repository
from controller.embedded.gateway import Gateway
from controller.engine.builds import Builds
from controller.engine.cache import TargetCache
from controller.engine.passes import Passes, PassResult
from controller.engine.planning import UnitWork
from controller.engine.reporting import Reporter
from controller.engine.sight import Sight
from controller.engine.sources import Publication
from controller.engine.steps import unobserved
from controller.engine.targets import Target
from controller.loading.loader import load
from controller.model.desired import TargetProfile
from controller.model.identity import UnitKey
from controller.source.local import WorkingDirectory
from controller.state.history import FileHistory
from tests.embedded.gateway.servers import Endpoint
from tests.engine.counting import CountingStore
from tests.engine.replicas import BuiltImages, Replicas

LONGEST = 300.0
PROFILE = TargetProfile(
    name="embedded",
    kind="embedded",
    url="",
    gateway="pointsman",
    gateway_namespace="pointsman",
    gateway_class="pointsman.dev/embedded",
    platform="linux/amd64",
    min_ready_seconds=1,
    base_platform="host:cpython",
    drain_seconds=0.0,
)


@dataclass
class Settling:
    """What passes need, and the units that the newest publication declares."""

    repository: Path
    source: WorkingDirectory
    store: CountingStore
    images: BuiltImages
    target: Target
    sight: Sight
    passes: Passes
    publication: Publication

    @property
    def units(self) -> tuple[UnitKey, ...]:
        declared = self.publication.declared
        return tuple(UnitKey(declared.owner, declared.project, name) for name in declared.deployments)

    def read(self) -> None:
        """Publish the newest commit, as the source's loop does when its token differs."""
        self.publication = published(self.source)

    def run(self, unit: UnitKey) -> PassResult:
        """One pass."""
        return self.passes.run(UnitWork(unit, self.sight, self.publication))

    def settle(self) -> None:
        """Pass over every unit, and again over those that something happened to, until there is nothing left to do."""
        deadline = time.monotonic() + LONGEST
        waiting = set(self.units)
        while waiting:
            assert time.monotonic() < deadline, f"{len(waiting)} units are not settled within {LONGEST:.0f} s"
            waiting = {unit for unit in sorted(waiting) if not self.run(unit).plan.is_settled}
            if waiting:
                time.sleep(0.01)


def published(source: WorkingDirectory) -> Publication:
    snapshot = source.snapshot()
    return Publication(source, snapshot, load(snapshot))


@contextmanager
def settling(directory: Path, shape: Shape, changed: Callable[[Target], Target] = lambda it: it) -> Iterator[Settling]:
    """Everything opened and nothing passed over yet; closed at the end, also after a failure.

    `changed` makes another target of the usual one.
    """
    with ExitStack() as opened:
        repository = write_repository(directory / "repository", shape)
        source = WorkingDirectory(repository, state=directory / "state", committed=True)
        opened.callback(source.close)
        endpoint = Endpoint("any")
        opened.callback(endpoint.close)
        store = opened.enter_context(CountingStore(directory / "store"))
        opened.callback(Replicas(store, endpoint.port).stop)
        gateway = Gateway(store, port=0, probe_token="")
        opened.callback(gateway.stop)
        gateway.start()
        images = BuiltImages()
        target = changed(Target(replace(PROFILE, url=gateway.url), store, images, lambda: (gateway.url,)))
        cache = TargetCache(store, lambda _: None)
        opened.callback(cache.stop)
        cache.start()
        assert cache.wait(60.0)
        builds = Builds(lambda *_: None)
        opened.callback(builds.close)
        passes = Passes(builds, Reporter(FileHistory(directory / "history"), None), unobserved, lambda _: None)
        opened.callback(passes.close)
        yield Settling(repository, source, store, images, target, Sight(target, cache), passes, published(source))

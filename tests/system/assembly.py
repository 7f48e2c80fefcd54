"""The embedded cluster with a controller whose sources and observer a test chooses; `cli.serving` assembles what users run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from controller.cli.profile import embedded_profile
from controller.embedded.cluster import EmbeddedCluster
from controller.embedded.runtime.process.runtime import processes
from controller.embedded.state_directory import StateDirectory
from controller.engine.controller import Controller
from controller.engine.grants import Granted
from controller.engine.sources import Source
from controller.engine.steps import Observer, unobserved
from controller.engine.targets import Target
from controller.images.builder import LayoutBuilder
from controller.images.unpack import Unpacker
from controller.model.secret import Secret
from controller.source.local import WorkingDirectory
from controller.source.watch import Watcher
from controller.state.history import FileHistory
from tests.embedded.runtime.conftest import kill_everything_below
from tests.system.repository import Repository


@dataclass(frozen=True)
class Assembled:
    cluster: EmbeddedCluster
    controller: Controller


def committed(repository: Repository, state: StateDirectory) -> WorkingDirectory:
    """A repository's checked-out branch as a source."""
    return WorkingDirectory(repository.root, state=state.git / repository.root.name, committed=True)


@contextmanager
def assembled(sources: Sequence[Source], state: StateDirectory, observer: Observer = unobserved) -> Iterator[Assembled]:
    """Follow several sources, and end everything afterwards."""
    with ExitStack() as opened:
        opened.callback(kill_everything_below, state.root)
        for source in sources:
            opened.callback(source.close)
        cluster = opened.enter_context(EmbeddedCluster(state.create(), processes(Unpacker(state.images, state.cache))))
        builder = LayoutBuilder(state.images, state.cache)
        probe = Secret(cluster.probe_token)
        target = Target(embedded_profile(state, cluster.url), cluster.store, builder, lambda: (cluster.url,), probe)
        controller = Controller(
            [target], map(Granted, sources), FileHistory(state.history), everywhere=True, workers=2, observer=observer
        )
        controller.start()
        opened.callback(controller.stop)
        for source in sources:
            opened.enter_context(Watcher(Path(source.name), controller.wake))
        yield Assembled(cluster, controller)

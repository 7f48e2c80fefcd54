"""The embedded cluster with a controller whose sources and observer a test chooses; `cli.serving` assembles what users run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from controller.cli.profile import embedded_profile
from controller.embedded.cluster import EmbeddedCluster
from controller.embedded.state_directory import StateDirectory
from controller.engine.controller import Controller
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


@contextmanager
def assembled(
    repositories: Sequence[Repository], state: StateDirectory, observer: Observer = unobserved
) -> Iterator[Assembled]:
    """Follow the branches of several repositories, and end everything afterwards."""
    with ExitStack() as opened:
        opened.callback(kill_everything_below, state.root)
        state.create()
        sources = [WorkingDirectory(r.root, state=state.git / r.root.name, committed=True) for r in repositories]
        for source in sources:
            opened.callback(source.close)
        cluster = opened.enter_context(EmbeddedCluster(state, Unpacker(state.images, state.cache)))
        builder = LayoutBuilder(state.images, state.cache)
        probe = Secret(cluster.probe_token)
        target = Target(embedded_profile(state, cluster.url), cluster.store, builder, (cluster.url,), probe)
        controller = Controller(target, sources, FileHistory(state.history), observer=observer)
        controller.start()
        opened.callback(controller.stop)
        for repository in repositories:
            opened.enter_context(Watcher(repository.root, controller.wake))
        yield Assembled(cluster, controller)

"""The embedded cluster and the controller over it, assembled: what `up`, `demo` and `apply` run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from controller.cli.context import Place, crash_observer, environment
from controller.cli.controller_word import VERB, ControllerWord
from controller.cli.narrate import ToldHistory
from controller.cli.profile import embedded_profile
from controller.cli.runtime.choice import PROCESSES, Choice
from controller.cli.runtime.parts import parts
from controller.embedded.cluster import EmbeddedCluster
from controller.embedded.state_directory import StateDirectory
from controller.engine.controller import Controller
from controller.engine.grants import Granted
from controller.engine.sources import Source
from controller.engine.targets import Target
from controller.model.ports import Progress
from controller.model.secret import Secret
from controller.source.adhoc import AdHoc, GivenFiles
from controller.source.local import WorkingDirectory
from controller.source.watch import Watcher
from controller.state.history import FileHistory

POLL_SECONDS = 5.0
WORKERS = 2
"""Passes over the embedded cluster ask no network: more of them at once would only take turns."""
Listener = Callable[[str, Mapping[str, object]], None]


@dataclass(frozen=True, slots=True)
class Serving:
    """What runs: stop it by leaving the `serve` context."""

    cluster: EmbeddedCluster
    controller: Controller

    @property
    def url(self) -> str:
        return self.cluster.url


@dataclass(frozen=True, slots=True)
class Served:
    """What to serve and how: `committed` follows the branch's commits, otherwise the files on the disk count as they are."""

    place: Place
    committed: bool = False
    files: GivenFiles | None = None
    port: int | None = None
    watch: bool = True
    runtime: Choice = PROCESSES


def open_source(served: Served) -> Source:
    """The directory as a source: with its declared tree, or as it lies there."""
    state = served.place.state.create().git
    if served.place.has_declared_tree:
        place = served.place
        return WorkingDirectory(place.source, directory=place.declared_directory, state=state, committed=served.committed)
    return AdHoc(served.place.source, state=state, files=served.files)


@contextmanager
def serve(served: Served, progress: Progress, listener: Listener) -> Iterator[Serving]:
    """Open everything, yield while it works, and end every process and thread on the way out.

    Raises Stalled when another process owns the state directory or the port is taken.
    """
    state = served.place.state.create()
    source = open_source(served)
    with ExitStack() as opened:
        opened.callback(source.close)
        made = parts(served.runtime, state, environment(), opened, allow_file_urls=True)
        cluster = opened.enter_context(EmbeddedCluster(state, made.runtime, port=served.port, clean=made.clean))
        probe = Secret(cluster.probe_token)
        target = Target(embedded_profile(state, cluster.url), cluster.store, made.builder, lambda: (cluster.url,), probe)
        history = ToldHistory(FileHistory(state.history), listener)
        controller = Controller(
            [target],
            [Granted(source)],
            history,
            everywhere=True,
            interval=POLL_SECONDS,
            workers=WORKERS,
            progress=progress,
            observer=crash_observer(),
        )
        _register(cluster, controller, committed=served.committed)
        controller.start()
        opened.callback(controller.stop)
        if served.watch:
            opened.enter_context(Watcher(served.place.source, controller.wake, ignore=_below(state)))
        yield Serving(cluster, controller)


def _register(cluster: EmbeddedCluster, controller: Controller, *, committed: bool) -> None:
    """What other commands may ask of this process through the socket."""

    def reconcile(payload: Any) -> Any:
        return {"units": controller.reconcile((payload or {}).get("deployment"))}

    def health(_payload: Any) -> Any:
        errors = (*controller.source_errors(), *controller.target_errors())
        word = ControllerWord(cluster.url, committed, errors, controller.build_failures())
        return word.as_document()

    cluster.server.register("reconcile", reconcile)
    cluster.server.register(VERB, health)


def _below(state: StateDirectory) -> Callable[[Path], bool]:
    root = state.root

    def ignored(path: Path) -> bool:
        return path == root or root in path.parents

    return ignored

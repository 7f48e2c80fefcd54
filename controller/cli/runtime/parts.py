"""Builder, runtime and cleaner of an embedded target: those that belong to one runtime, put together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

from controller.cli.context import search_path
from controller.cli.runtime.choice import Choice
from controller.cli.runtime.kept import KeptRuntime, keep
from controller.cli.runtime.leftovers import remove_containers
from controller.dockerd.connection import Connect
from controller.dockerd.engine import LateEngine
from controller.embedded.cluster import Clean
from controller.embedded.runtime.docker.mark import EngineMark
from controller.embedded.runtime.docker.runtime import containers
from controller.embedded.runtime.instance import OpenRuntime, Runtime, Surroundings
from controller.embedded.runtime.process.runtime import processes
from controller.embedded.state_directory import StateDirectory
from controller.images.builder import LayoutBuilder
from controller.images.cleaning import ImageCleaner
from controller.images.docker.builder import EngineBuilder
from controller.images.docker.cleaning import EngineCleaner
from controller.images.unpack import Unpacker
from controller.model.configuration import DOCKER
from controller.model.ports import ImageBuilder

PLACE = "pointsman.local"
"""How the names of images begin that no registry has."""

_SHORT = 12


@dataclass(frozen=True, slots=True)
class Parts:
    """What an embedded cluster and its target are made of."""

    runtime: OpenRuntime
    builder: ImageBuilder
    clean: Clean


def parts(
    choice: Choice, state: StateDirectory, environment: Mapping[str, str], opened: ExitStack, *, allow_file_urls: bool
) -> Parts:
    """Those of the chosen runtime. When it is opened the choice is kept, and what the other one has left running is ended."""
    if choice.client is not None:
        opened.callback(choice.client.close)
    kept = _kept(choice, state)
    connect = LateEngine(environment)
    opened.callback(connect.close)
    builder = image_builder(kept, state, connect, environment, allow_file_urls=allow_file_urls)
    if choice.client is not None:
        engine = EngineCleaner(connect, kept.registry, state.images, state.cache)
        return Parts(_keeping(kept, state, containers(choice.client)), builder, engine.remove_unnamed)
    local = ImageCleaner(state.images, state.cache)
    open_runtime = processes(Unpacker(state.images, state.cache), search_path())
    return Parts(_keeping(kept, state, open_runtime, partial(remove_containers, state, connect)), builder, local.remove_unnamed)


def _keeping(
    kept: KeptRuntime, state: StateDirectory, open_runtime: OpenRuntime, before: Callable[[], None] = lambda: None
) -> OpenRuntime:
    """Only the owner of the state directory opens its runtime: before that, nothing may change there."""

    def opened(surroundings: Surroundings) -> Runtime:
        keep(state, kept)
        before()
        return open_runtime(surroundings)

    return opened


def image_builder(
    kept: KeptRuntime, state: StateDirectory, connect: Connect, environment: Mapping[str, str] | None, *, allow_file_urls: bool
) -> ImageBuilder:
    """The builder of a runtime's images; `connect` is asked only for those of containers."""
    make = partial(EngineBuilder, connect) if kept.is_docker else LayoutBuilder
    return make(state.images, state.cache, allow_file_urls=allow_file_urls, environment=environment)


def _kept(choice: Choice, state: StateDirectory) -> KeptRuntime:
    """On an Engine that is shared, each state directory names its own images: only it knows which of them it needs."""
    if choice.client is None:
        return KeptRuntime()
    return KeptRuntime(DOCKER, choice.platform, f"{PLACE}/{EngineMark(state.run).id()[:_SHORT]}")

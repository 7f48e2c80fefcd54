"""One round of builds: every row, and in each row Pointsman, the docker SDK and the bare client, one after the other."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2

from bench.images_docker import DockerBuilder
from bench.images_floor import BareClient
from bench.images_project import BASE, Project, silent
from bench.usage import processor_seconds_of_all
from controller.images.manifest import blobs_of
from controller.images.registry.builder import RegistryBuilder
from tests.cluster import images
from tests.docker_engine.engine import running_engine
from tests.images.base_images import MANIFEST
from tests.images.registry_server import Registry, running_registry

REPOSITORY = "bench/owner/project"
Cost = tuple[float, float]
"""Seconds, and processor seconds of everything that took part: builder, git, Engine, registry."""

Figures = dict[str, dict[str, list[Cost]]]
"""Row, then column (`own`, `sdk`, `floor`)."""


class Contest:
    """Registries that hold nothing but the base, an Engine that holds nothing, and a project."""

    def __init__(self, directory: Path, model: int, stack: ExitStack) -> None:
        self._directory = directory
        self._stack = stack
        images.make_base()
        self._registry, other, bare = (self._new_registry(name) for name in ("own", "sdk", "bare"))
        self._project = Project(directory / "project", model)
        stack.callback(self._project.forget)
        self._project.write_dockerfile(other.address)
        running = stack.enter_context(running_engine(directory / "engine"))
        self._sdk = DockerBuilder(running.socket, self._project.root, f"{other.address}/{REPOSITORY}")
        stack.callback(self._sdk.close)
        self._bare = BareClient(bare.address, REPOSITORY)
        stack.callback(self._bare.close)
        self._base_digest, self._related = "", tuple[str, ...]()
        self._sent = {digest for digest, _ in blobs_of(self._manifest(*BASE.split(":")))}
        self._bare.mount(self._sent, BASE.partition(":")[0])

    @property
    def conditions(self) -> str:
        """What took part, beside Pointsman."""
        return f"docker SDK {self._sdk.version}"

    def run(self, figures: Figures) -> None:
        """All rows, in the order of a project's life."""
        cache = self._directory / "cache"
        with self._builder(cache) as builder:
            self._project.give_model(cache)
            self._row(figures, "cold", builder)
            self._row(figures, "nothing changed", builder)
            self._project.change_code(1)
            self._row(figures, "code change", builder)
            self._project.change_model(1)
            self._project.give_model(cache)
            self._row(figures, "file change", builder)
        self._project.change_code(2)
        self._sdk.forget()
        self._project.forget()
        with self._builder(self._directory / "fresh") as builder:
            self._row(figures, "fresh builder, code change", builder)

    def _row(self, figures: Figures, name: str, builder: RegistryBuilder) -> None:
        columns = figures.setdefault(name, {"own": [], "sdk": [], "floor": []})
        spec, code = self._project.spec(f"{self._registry.address}/{REPOSITORY}")
        known = replace(spec, base_digest=self._base_digest, related=self._related)
        columns["own"].append(_cost(lambda: builder.build(known, code, silent)))
        found = builder.find(spec)
        assert found is not None
        self._base_digest, self._related = found.base_digest, (found.digest,)
        columns["sdk"].append(_cost(lambda: self._sdk.build(spec.tag)))
        columns["floor"].append(_cost(self._floor(spec.tag)))

    def _floor(self, tag: str) -> Callable[[], None]:
        """What the registry needs at least for an image of ours: its new blobs and its manifest, or a look."""
        document = self._manifest(REPOSITORY, tag)
        new = [digest for digest, _ in blobs_of(document) if digest not in self._sent]
        if not new:
            return lambda: self._bare.look(tag, MANIFEST)
        self._sent.update(new)
        blobs = [(digest, self._registry.blob(digest)) for digest in new]
        return lambda: self._bare.push(blobs, json.dumps(document).encode(), tag, MANIFEST)

    def _manifest(self, repository: str, tag: str) -> dict[str, Any]:
        url = f"{self._registry.url}/v2/{repository}/manifests/{tag}"
        return dict(httpx2.get(url, headers={"accept": MANIFEST}).raise_for_status().json())

    def _new_registry(self, name: str) -> Registry:
        registry = self._stack.enter_context(running_registry(self._directory / name))
        images.push(images.base(), registry.url)
        return registry

    def _builder(self, cache: Path) -> RegistryBuilder:
        push, pull = f"{self._registry.url}/bench", f"{self._registry.address}/bench"
        return RegistryBuilder(push, pull, cache, mirrors={"docker.io": self._registry.url})


def _cost(action: Callable[[], object]) -> Cost:
    used, begun = processor_seconds_of_all(), time.perf_counter()
    action()
    return time.perf_counter() - begun, processor_seconds_of_all() - used

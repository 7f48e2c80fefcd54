"""A registry that is cleaned up: real images of a real repository, served on two targets, and rounds at chosen times."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import httpx2

from controller.engine.clean_up import CleanedRegistry, RegistryCleanUp
from controller.engine.controller import Controller
from controller.engine.grants import Granted
from controller.engine.targets import Target
from controller.images.registry.builder import RegistryBuilder
from controller.model.images import Image, ImageSpec
from controller.model.ports import CodeReader, ImageShelf, Progress
from controller.state.unneeded import UnneededImages
from tests.embedded.gateway.servers import eventually
from tests.engine.several import Declared, Several, several
from tests.images.base_images import MANIFEST, push_base
from tests.images.registry_server import Registry

KEEP = 86400.0
PROJECT = "acme/shop"
REPOSITORY = f"pointsman/{PROJECT}"
soon = partial(eventually, timeout=60.0)
ALIAS = "pointsman/deployments/americas/aliases/production.yaml"
DEPLOYMENT = "pointsman/deployments/americas/deployment.yaml"
AT_ONCE = "target: east\nendpoints: {}\nrollout: {keepWarm: 0s}\n"
"""What an alias has left goes as soon as its requests are answered."""


class CountingBuilder(RegistryBuilder):
    """Remembers what it had to build."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.built: list[str] = []

    def build(self, spec: ImageSpec, code: CodeReader, progress: Progress) -> Image:
        self.built.append(spec.name)
        return super().build(spec, code, progress)


def version_file(name: str) -> str:
    return f"pointsman/versions/{name}.yaml"


@dataclass
class World:
    """`shelf` may be replaced by one that does something on its way."""

    registry: Registry
    targets: Several
    declared: Declared
    builder: CountingBuilder
    controller: Controller
    shelf: Callable[[str], ImageShelf]
    require_fresh: Callable[[str], None] = lambda project: None
    leading: set[str] = field(default_factory=set)
    """The targets that this process leads."""

    def release(self, name: str) -> str:
        """A version with code of its own, served by the alias; the tag of its image."""
        before = set(self.tags())
        self.declared.commit({"serve.py": f"print('{name}')\n", version_file(name): "{}\n", ALIAS: f'version: "{name}"\n'})
        assert soon(lambda: self.serves(name))
        (made,) = set(self.tags()) - before
        return made

    def back_to(self, name: str) -> None:
        """A version comes back, and the alias leads to it."""
        self.declared.commit({version_file(name): "{}\n", ALIAS: f'version: "{name}"\n'})
        assert soon(lambda: self.serves(name))

    def remove(self, *names: str) -> None:
        """The versions leave git, and what served them the target: one after the other, as many at once would be held."""
        for name in names:
            self.declared.commit({version_file(name): None})
            assert soon(lambda gone=name: gone not in self.running())

    def serves(self, name: str) -> bool:
        result = self.controller.result(self.declared.unit, "east")
        is_new = result and self.declares(name) and result.publication in self.controller.publications()
        return bool(is_new and result and result.plan.is_settled and name in self.running())

    def declares(self, name: str) -> bool:
        return any(name in p.snapshot.versions for p in self.controller.publications())

    def named(self) -> frozenset[str]:
        """What records and workloads on both targets name, as far as the controller has seen."""
        return frozenset().union(*(loop.named_digests() for loop in self.controller.loops(["east", "west"])))

    def tag_as(self, tag: str, name: str) -> None:
        """As `docker tag` and `docker push` do."""
        url = f"{self.registry.url}/v2/{REPOSITORY}/manifests"
        found = httpx2.get(f"{url}/{tag}", headers={"accept": MANIFEST})
        put = httpx2.put(f"{url}/{name}", content=found.content, headers={"content-type": found.headers["content-type"]})
        assert put.status_code == 201, put.text

    def running(self) -> set[str]:
        """The versions of the workloads on the target."""
        found = self.targets.stores["east"].list("Deployment").items
        return {obj["metadata"]["annotations"]["pointsman.dev/version"] for obj in found}

    def tags(self) -> list[str]:
        return self.registry.tags(REPOSITORY)

    def digest(self, tag: str) -> str:
        answer = httpx2.head(f"{self.registry.url}/v2/{REPOSITORY}/manifests/{tag}", headers={"accept": MANIFEST})
        assert answer.status_code == 200
        return answer.headers["docker-content-digest"]

    def manifest(self, tag: str) -> dict[str, Any]:
        return dict(httpx2.get(f"{self.registry.url}/v2/{REPOSITORY}/manifests/{tag}", headers={"accept": MANIFEST}).json())

    def base_of(self, tag: str) -> str:
        return str(self.manifest(tag)["annotations"]["org.opencontainers.image.base.digest"])

    def layers(self, tag: str) -> list[str]:
        return [layer["digest"] for layer in self.manifest(tag)["layers"]]

    @property
    def memory(self) -> UnneededImages:
        return UnneededImages(self.targets.stores["east"], "pointsman-system", "default", "registry")

    def clean_up(self) -> RegistryCleanUp:
        """As a process has it that has just started."""
        registry = CleanedRegistry(
            "registry",
            ("east", "west"),
            KEEP,
            self.shelf,
            lambda client: self.memory,
            self.require_fresh,
        )
        return RegistryCleanUp(registry, self.controller)

    def rounds(self) -> tuple[str, ...]:
        """Everything that is unneeded now goes: it was seen now, and again after its time."""
        made = self.clean_up()
        now = time.time()
        assert made.round(now) == ()
        return made.round(now + KEEP + 1)


@contextmanager
def cleaned(directory: Path, registry: Registry, url: str = "") -> Iterator[World]:
    """A world that serves `v1` on the target `east`. `url` is where the controller reaches the registry."""
    push_base(registry.url)
    declared = Declared(directory / "repository", "shop", "east")
    declared.commit({DEPLOYMENT: AT_ONCE})
    pull = f"{registry.address}/pointsman"
    push = f"{url or registry.url}/pointsman"
    mirrors = {"docker.io": registry.url}
    with (
        CountingBuilder(push, pull, directory / "cache", mirrors=mirrors, first_pause=0.01) as builder,
        several(directory / "targets", "east", "west") as plain,
        declared.source() as source,
    ):
        leading = {"east", "west"}
        targets = {name: _changed(target, builder, pull, leading) for name, target in plain.targets.items()}
        for store in plain.stores.values():
            store.patience = 0.5
        made = Several(plain.directory, targets, plain.stores)
        with made.controlled([Granted(source)]) as controller:
            shelf = lambda project: builder.shelf(project, lambda: None)  # noqa: E731
            world = World(registry, made, declared, builder, controller, shelf, leading=leading)
            assert soon(lambda: world.serves("v1"))
            yield world


def _changed(target: Target, builder: RegistryBuilder, pull: str, leading: set[str]) -> Target:
    """One that runs containers from the registry."""
    profile = replace(target.profile, registry=pull, base_platform=None)
    return replace(target, builder=builder, profile=profile, leads=lambda: target.name in leading)

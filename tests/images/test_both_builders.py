"""The contract of every builder of images that containers run: one specification gives one file tree and one configuration.

All of it is read from a real Engine, which has pulled what was appended in a real registry.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest
from base_images import DEBIAN, RUN, Tree, push_base
from engine_images import OURS, PLACE, connected, engine_builder, engine_spec, filesystem
from image_examples import MemoryCode, in_code, silent
from registry_images import builder_for, manifest_at, spec_for
from registry_server import Registry, running_registry

from controller.dockerd.engine import LateEngine
from controller.images.docker.builder import EngineBuilder
from controller.images.docker.pushing import PushingBuilder
from controller.images.manifest import LAYER_KIND
from controller.images.registry.builder import RegistryBuilder
from controller.model.images import Image, ImageSpec
from controller.model.labels import PREFIX
from tests.docker_engine.engine import Engine

pytestmark = pytest.mark.contract

CODE = MemoryCode(
    {
        "serve.py": b"print('hello')\n",
        "bin/start": b"#!/bin/sh\n",
        "deep/down/here.txt": "ä".encode(),
        "ünïcode näme.txt": b"u",
        f"{'long/' * 40}name.txt": b"l",
        "models/net.bin": bytes(range(256)) * 5000,
    },
    {"bin/start": "100755"},
)
UNDER: Tree = {**DEBIAN, "tmp": None, "srv/data": None, "bin": "usr/bin", "etc/gone": b"1", "etc/changed": b"1"}
OVER: Tree = {"etc/.wh.gone": b"", "etc/changed": b"2", "opt/vendor/tool": b"v"}
BASE_RUN = {
    **RUN,
    "User": "1000:1001",
    "Labels": {"maintainer": "base"},
    "Volumes": {"/srv/data": {}},
    "ExposedPorts": {"9000/tcp": {}},
    "Healthcheck": {"Test": ["CMD", "true"], "Interval": 30_000_000_000},
    "StopSignal": "SIGINT",
    "WorkingDir": "/not/there",
    "OnBuild": ["RUN false"],
}
NOISE = ("Image", "Hostname", "Domainname", "AttachStdin", "AttachStdout", "AttachStderr", "Tty", "OpenStdin", "StdinOnce")
BOTH = ("org.opencontainers.image.base.", PREFIX)


@dataclass(frozen=True)
class Built:
    """An image of one builder, as the Engine has it, and what it says of itself."""

    image: Image
    files: Mapping[str, tuple[Any, ...]]
    config: Mapping[str, Any]
    layers: tuple[str, ...]
    says: Mapping[str, str]
    kinds: tuple[str | None, ...] = ()


@dataclass(frozen=True)
class World:
    base: Mapping[str, tuple[Any, ...]]
    base_layers: int
    appended: Built
    pushed: Built
    in_engine: Built

    @property
    def all(self) -> tuple[Built, ...]:
        return (self.appended, self.pushed, self.in_engine)


@pytest.fixture(scope="module")
def world(docker_engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    root = tmp_path_factory.mktemp("both")
    with running_registry(root / "registry") as registry, connected(docker_engine) as connect:
        push_base(registry.url, trees=(UNDER, OVER), run=BASE_RUN)
        changes: dict[str, Any] = {"base": f"{registry.address}/library/python:3.11", "port": 8100}
        changes |= {"requirements": "six==1.16.0\n", "shim": True, "files": {"in/model.bin": in_code("models/net.bin", CODE)}}
        api = connect().api
        docker_engine.run("pull", changes["base"])
        spec = spec_for(registry, CODE, **changes)
        with builder_for(registry, root / "append", mirrors={}) as builder:
            appended = pulled(docker_engine, connect, registry, build_twice(builder, spec))
        pushing = replace(spec, repository=f"{registry.address}/pointsman/ruksi/pushed")
        place = f"{registry.address}/pointsman"
        with PushingBuilder(f"http://{place}", place, root / "push", connect=connect) as builder:
            image = build_twice(builder, pushing)
            docker_engine.run("image", "rm", f"{pushing.repository}:{pushing.tag}")
            pushed = pulled(docker_engine, connect, registry, image)
        spec = engine_spec(registry, CODE, **changes)
        image = build_twice(engine_builder(connect, root / "engine"), spec)
        found = api.inspect_image(image.digest)["Config"]["Labels"]
        in_engine = built(connect(), image, image.digest, {key: said for key, said in found.items() if key.startswith(BOTH)})
        layers = len(api.inspect_image(changes["base"])["RootFS"]["Layers"])
        yield World(filesystem(connect(), changes["base"]), layers, appended, pushed, in_engine)


def build_twice(builder: RegistryBuilder | EngineBuilder, spec: ImageSpec) -> Image:
    """The second time nothing of the code is read."""
    image = builder.build(spec, CODE, silent)
    again = MemoryCode(CODE.files, CODE.modes)
    assert builder.build(spec, again, silent) == builder.find(spec) == image
    assert again.reads == []
    return image


def pulled(engine: Engine, connect: LateEngine, registry: Registry, image: Image) -> Built:
    """An image as the Engine has it once it has pulled it."""
    engine.run("pull", image.reference)
    repository = image.reference.partition("/")[2].partition("@")[0]
    document = manifest_at(registry, image, repository)
    kinds = tuple((layer.get("annotations") or {}).get(LAYER_KIND) for layer in document["layers"])
    return replace(built(connect(), image, image.reference, document["annotations"]), kinds=kinds)


def built(client: Any, image: Image, name: str, says: Mapping[str, str]) -> Built:
    found = client.api.inspect_image(name)
    return Built(image, filesystem(client, name), found["Config"], tuple(found["RootFS"]["Layers"]), says)


def test_the_file_trees_are_the_same(world: World) -> None:
    assert world.in_engine.files == world.appended.files
    assert world.pushed.files == world.appended.files


def test_nothing_outside_our_directories_differs_from_the_base(world: World) -> None:
    made = world.in_engine.files
    ours = {path for path in made if any(path == d or path.startswith(f"{d}/") for d in OURS)}
    assert {path: entry for path, entry in made.items() if path not in ours | {"valohai"}} == dict(world.base)
    assert made["tmp"][1] & 0o7777 == 0o1777
    assert made["lib"][5] == "usr/lib"
    assert {"valohai/code/in/model.bin", "valohai/code/ünïcode näme.txt", "opt/pointsman/python/six.py"} <= ours
    assert made["valohai/code/deep/down"][1:4] == (0o40755, 1000, 1001)


def test_containers_run_in_the_same_way(world: World) -> None:
    for found in world.all:
        assert running(found.config) == running(world.appended.config)
        assert running(found.config)["Labels"] == {"maintainer": "base"}
        assert found.config["Healthcheck"]["Interval"] == 30_000_000_000
    assert world.pushed.config["Labels"] == world.appended.config["Labels"]


def test_each_layer_is_one_layer(world: World) -> None:
    assert [len(found.layers) for found in world.all] == [world.base_layers + 4] * 3
    assert len({found.layers[: world.base_layers] for found in world.all}) == 1
    assert world.pushed.kinds == world.appended.kinds
    assert len([kind for kind in world.pushed.kinds if kind]) == 4


def test_they_say_the_same_of_themselves(world: World) -> None:
    for found in world.all:
        assert dict(found.says) == dict(world.appended.says)
        assert found.image.warnings == world.appended.image.warnings != ()
        assert found.image.base_digest == world.appended.image.base_digest != ""
    assert world.in_engine.image.reference.startswith(f"{PLACE}/ruksi/mnist@sha256:")


def running(config: Mapping[str, Any]) -> dict[str, Any]:
    """How a container runs: what is empty is the same as absent, and our labels are annotations elsewhere."""
    labels = {key: value for key, value in (config.get("Labels") or {}).items() if not key.startswith(BOTH)}
    return {key: value for key, value in ({**config, "Labels": labels}).items() if value and key not in NOISE}

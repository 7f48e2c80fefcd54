"""What is pushed can be pulled and run by the runtimes of nodes: containerd with runc, and a Docker Engine."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import pytest
from base_images import push_base
from containerd_runtime import Containerd, running_containerd
from image_examples import CODE, MemoryCode, in_code, silent
from olareg import running_olareg
from programs import programs
from registry_images import builder_for, spec_for
from registry_server import Registry, running_registry

from tests.docker_engine.engine import Engine

pytestmark = pytest.mark.contract

COMMAND = "cat serve.py; sha256sum m.bin; stat -c '%a %u:%g' /valohai/code bin/start /opt/pointsman/shim.py; id -u"
Run = Callable[[str], str]


@pytest.fixture(scope="module", params=[running_registry, running_olareg], ids=["distribution", "olareg"])
def real(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """A registry with a base image that can run."""
    make: Callable[[Path], AbstractContextManager[Registry]] = request.param
    with make(tmp_path_factory.mktemp("registry")) as running:
        push_base(
            running.url,
            trees=[programs(), {"tmp/": b""}],
            run={"Env": ["PATH=/usr/bin"], "Entrypoint": ["/no"], "User": "1000:7"},
        )
        yield running


@pytest.fixture(scope="module")
def containerd() -> Iterator[Containerd]:
    with running_containerd() as running:
        yield running


@pytest.fixture(params=["containerd", "docker"])
def run(request: pytest.FixtureRequest) -> Run:
    """Pulls an image and runs its own command."""
    if request.param == "docker":
        engine: Engine = request.getfixturevalue("docker_engine")

        def by_docker(reference: str) -> str:
            engine.run("pull", "--quiet", reference)
            return engine.run("run", "--rm", "--network=none", reference)

        return by_docker
    containerd: Containerd = request.getfixturevalue("containerd")

    def by_containerd(reference: str) -> str:
        containerd.pull(reference)
        return containerd.start(reference)

    return by_containerd


def test_image_is_pulled_and_runs_and_so_does_the_next_version(real: Registry, run: Run, tmp_path: Path) -> None:
    spec = spec_for(real, command=COMMAND, files={"m.bin": in_code("models/net.bin")}, shim=True)
    other = MemoryCode({**CODE.files, "serve.py": b"print('other')\n"}, CODE.modes)
    with builder_for(real, tmp_path / "cache") as builder:
        first = builder.build(spec, CODE, silent)
        second = builder.build(replace(spec, code=other.tree), other, silent)
    digest = hashlib.sha256(CODE.files["models/net.bin"]).hexdigest()
    shared = [f"{digest}  m.bin", "755 1000:7", "755 1000:7", "644 0:0", "1000"]
    for image, code in ((first, CODE), (second, other)):
        assert run(image.reference).splitlines() == [*code.files["serve.py"].decode().splitlines(), *shared]

"""Images that stay in a real Engine: what is built, found, shared and refused."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from base_images import DEBIAN, RUN, push_base
from engine_images import PLACE, connected, engine_builder, engine_spec, filesystem
from image_examples import CODE, MemoryCode, in_code, silent
from registry_server import Registry

from controller.dockerd.engine import LateEngine
from controller.dockerd.unstarted import PREFIX
from controller.images.docker.cleaning import EngineCleaner, _named_at
from controller.model.errors import Stalled, Transient, Unavailable
from tests.docker_engine.engine import Engine, running_engine

pytestmark = pytest.mark.contract


@pytest.fixture
def connect(docker_engine: Engine) -> Iterator[LateEngine]:
    with connected(docker_engine) as late:
        yield late


def test_an_image_is_built_once_and_found_by_one_look(connect: LateEngine, registry: Registry, tmp_path: Path) -> None:
    spec, builder = engine_spec(registry, shim=True), engine_builder(connect, tmp_path)
    assert builder.find(spec) is None
    image = builder.build(spec, CODE, silent)
    assert image.reference == f"{spec.repository}@{image.digest}"
    assert image.digest == connect().api.inspect_image(f"{spec.repository}:{spec.tag}")["Id"]
    code = MemoryCode(CODE.files, CODE.modes)
    assert builder.build(spec, code, silent) == image == engine_builder(connect, tmp_path / "new").find(spec)
    assert code.reads == []


def test_a_container_runs_the_command_in_the_code_directory(connect: LateEngine, registry: Registry, tmp_path: Path) -> None:
    command = "echo \"$HOME\" \\ $PATH '%'\nsecond"
    push_base(registry.url, run={**RUN, "Env": [*RUN["Env"], 'ODD=a "b" $c \\d\nsecond']})
    spec = engine_spec(registry, command=command, port=8123, wsgi=False)
    image = engine_builder(connect, tmp_path).build(spec, CODE, silent)
    config = connect().api.inspect_image(image.digest)["Config"]
    assert (config["Entrypoint"] or [], config["Cmd"]) == ([], ["sh", "-c", command])
    assert (config["WorkingDir"], list(config["ExposedPorts"])) == ("/valohai/code", ["8123/tcp"])
    assert 'ODD=a "b" $c \\d\nsecond' in config["Env"]


def test_a_new_line_of_code_sends_the_code_alone(connect: LateEngine, registry: Registry, tmp_path: Path) -> None:
    spec, builder = engine_spec(registry, files={"net.bin": in_code("models/net.bin")}), engine_builder(connect, tmp_path)
    first = builder.build(spec, CODE, silent)
    changed = MemoryCode({**CODE.files, "serve.py": b"print('changed')\n"}, CODE.modes)
    told: list[str] = []
    second = builder.build(replace(spec, code=changed.tree), changed, lambda what, done, total: told.append(what))
    assert {what for what in told if what.startswith("sending")} == {"sending the layer code to the Docker Engine"}
    layers = [connect().api.inspect_image(image.digest)["RootFS"]["Layers"] for image in (first, second)]
    assert layers[0][:-1] == layers[1][:-1]
    assert layers[0][-1] != layers[1][-1]


def test_the_base_is_what_it_was_when_the_unit_first_saw_it(connect: LateEngine, registry: Registry, tmp_path: Path) -> None:
    digest = push_base(registry.url, repository="me/base")
    spec = engine_spec(registry, base=f"{registry.address}/me/base:3.11")
    image = engine_builder(connect, tmp_path).build(spec, CODE, silent)
    assert image.base_digest == digest
    push_base(registry.url, repository="me/base", trees=[{**DEBIAN, "etc/moved": b"1"}])
    connect().api.remove_image(f"{registry.address}/me/base:3.11")
    changed = MemoryCode({"serve.py": b"2"})
    later = replace(spec, code=changed.tree, base_digest=digest)
    assert engine_builder(connect, tmp_path).build(later, changed, silent).base_digest == digest
    moved = replace(spec, code=changed.tree, command="other")
    again = engine_builder(connect, tmp_path).build(moved, changed, silent)
    assert again.base_digest != digest
    assert "etc/moved" in filesystem(connect(), again.digest)


def test_a_base_that_only_the_engine_has_is_remembered_too(
    docker_engine: Engine, connect: LateEngine, registry: Registry, tmp_path: Path
) -> None:
    docker_engine.run("pull", f"{registry.address}/library/python:3.11")
    docker_engine.run("tag", f"{registry.address}/library/python:3.11", "mine/own:1")
    own = _local_base(docker_engine, "mine/own:2", tmp_path)
    image = engine_builder(connect, tmp_path).build(engine_spec(registry, base="mine/own:2"), CODE, silent)
    assert image.base_digest == own
    docker_engine.run("tag", "mine/own:1", "mine/own:2")
    changed = MemoryCode({"serve.py": b"3"})
    later = engine_spec(registry, code=changed, base="mine/own:2", base_digest=own)
    assert "etc/own" in filesystem(connect(), engine_builder(connect, tmp_path).build(later, changed, silent).digest)


def test_an_id_that_a_project_names_is_no_base(connect: LateEngine, registry: Registry, tmp_path: Path) -> None:
    builder = engine_builder(connect, tmp_path)
    theirs = builder.build(engine_spec(registry, command="python theirs.py"), CODE, silent)
    spec = engine_spec(registry, base=f"{registry.address}/me/own@{theirs.digest}")
    for remembered in ("", theirs.digest):
        with pytest.raises(Stalled, match="cannot pull the base image"):
            builder.build(replace(spec, base_digest=remembered), CODE, silent)


def test_instructions_for_builds_upon_the_base_are_not_carried_out(
    connect: LateEngine, registry: Registry, tmp_path: Path
) -> None:
    push_base(registry.url, run={**RUN, "OnBuild": ["RUN false", "COPY nothing /"], "User": "1000", "Volumes": {"/data": {}}})
    image = engine_builder(connect, tmp_path).build(engine_spec(registry), CODE, silent)
    assert image.warnings == ("the base image has ONBUILD instructions, which are not carried out",)
    config = connect().api.inspect_image(image.digest)["Config"]
    assert (config["OnBuild"], config["User"], config["Volumes"]) == (None, "1000", {"/data": {}})
    assert filesystem(connect(), image.digest)["valohai/code/serve.py"][2:4] == (1000, 0)
    assert connect().api.containers(all=True) == []
    assert not connect().api.volumes()["Volumes"]


def test_requirements_are_installed_for_the_python_of_the_base(connect: LateEngine, registry: Registry, tmp_path: Path) -> None:
    spec = engine_spec(registry, requirements="six==1.16.0\n")
    image = engine_builder(connect, tmp_path).build(spec, CODE, silent)
    assert "opt/pointsman/python/six.py" in filesystem(connect(), image.digest)
    labels = connect().api.inspect_image(image.digest)["Config"]["Labels"]
    assert labels["pointsman.dev/distributions"] == "six==1.16.0"
    noted = json.loads(next((tmp_path / "cache" / "bases").glob("*-python.json")).read_text())
    assert noted == {"version": "3.11", "glibc": "2.36", "musl": False}
    assert connect().api.containers(all=True) == []


def test_a_base_without_python_is_refused_where_one_is_needed(connect: LateEngine, registry: Registry, tmp_path: Path) -> None:
    push_base(registry.url, repository="me/empty", trees=[{"etc/nothing": b""}])
    spec = engine_spec(registry, base=f"{registry.address}/me/empty:3.11", requirements="six==1.16.0\n")
    with pytest.raises(Stalled, match="no Python to install requirements for"):
        engine_builder(connect, tmp_path).build(spec, CODE, silent)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"base": "{registry}/library/python:none"}, "cannot pull the base image .*manifest unknown"),
        ({"base": "host:cpython-3.11-linux-x86_64"}, "no Docker Engine runs"),
        ({"base": f"{PLACE}/other/project:v-1"}, "images of other projects"),
        ({"platform": "linux/arm64"}, "for linux/amd64, and its containers run linux/arm64"),
    ],
)
def test_what_cannot_be_built_is_said_with_the_next_step(
    connect: LateEngine, registry: Registry, tmp_path: Path, change: dict[str, str], words: str
) -> None:
    change = {key: value.replace("{registry}", registry.address) for key, value in change.items()}
    with pytest.raises(Stalled, match=words) as caught:
        engine_builder(connect, tmp_path).build(engine_spec(registry, **change), CODE, silent)
    assert caught.value.hint


def test_without_an_engine_a_build_is_tried_again_and_then_finishes(
    docker_engine: Engine, registry: Registry, tmp_path: Path
) -> None:
    late = LateEngine({"DOCKER_HOST": f"unix://{tmp_path}/docker.sock"})
    builder, spec = engine_builder(late, tmp_path), engine_spec(registry, command="python late.py")
    with pytest.raises(Unavailable, match="no Docker Engine answers"):
        builder.build(spec, CODE, silent)
    (tmp_path / "docker.sock").symlink_to(docker_engine.socket)
    assert builder.build(spec, CODE, silent).key == spec.key
    late.close()


def test_a_build_that_is_given_up_leaves_no_name(connect: LateEngine, registry: Registry, tmp_path: Path) -> None:
    code = MemoryCode({"serve.py": b"given up"})
    spec, builder = engine_spec(registry, code), engine_builder(connect, tmp_path)

    def stop(what: str, done: int, total: int) -> None:
        if what.startswith("sending"):
            raise Transient("stopped")

    with pytest.raises(Transient, match="stopped"):
        builder.build(spec, code, stop)
    assert builder.find(spec) is None
    assert builder.build(spec, code, silent) == builder.find(spec)


def test_a_layer_that_was_damaged_on_the_disk_is_made_again(connect: LateEngine, registry: Registry, tmp_path: Path) -> None:
    code = MemoryCode({"serve.py": b"damaged" * 1000})
    spec, builder = engine_spec(registry, code=code), engine_builder(connect, tmp_path)
    builder.build(spec, code, silent)
    connect().api.remove_image(f"{spec.repository}:{spec.tag}", force=True)
    for blob in (tmp_path / "layout" / "blobs" / "sha256").iterdir():
        blob.write_bytes(bytes(blob.stat().st_size))
    for note in (tmp_path / "cache" / "bases").glob("*-engine-step.json"):
        note.unlink()
    with pytest.raises(Transient, match="is damaged on the disk"):
        builder.build(spec, code, silent)
    assert "valohai/code/serve.py" in filesystem(connect(), builder.build(spec, code, silent).digest)


def test_two_builders_at_once_make_one_image(connect: LateEngine, registry: Registry, tmp_path: Path) -> None:
    spec = engine_spec(registry, command="python both.py")
    found = []

    def build() -> None:
        found.append(engine_builder(connect, tmp_path).build(spec, CODE, silent))

    threads = [threading.Thread(target=build) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found[0] == found[1]


def test_what_nothing_runs_is_removed_from_the_engine(connect: LateEngine, registry: Registry, tmp_path: Path) -> None:
    builder = engine_builder(connect, tmp_path)
    specs = [engine_spec(registry, command=f"python {n}.py", repository=f"{PLACE}/clean/up") for n in range(3)]
    old, named, foreign = (builder.build(spec, CODE, silent) for spec in specs)
    connect().api.tag(foreign.digest, "someone/else", "1")
    connect().api.tag(old.digest, f"{PLACE}/clean/up", "v-1")
    cleaner = EngineCleaner(connect, PLACE, tmp_path / "layout", tmp_path / "cache")
    cleaner.remove_unnamed([named.reference], 0.0)
    assert [builder.find(spec) for spec in specs] == [old, named, foreign]
    cleaner.remove_unnamed([named.reference], 1e12)
    assert [builder.find(spec) for spec in specs] == [None, named, None]
    assert connect().api.inspect_image(f"{PLACE}/clean/up:v-1")["Id"] == old.digest, "a person's own tag"
    connect().api.remove_image(f"{PLACE}/clean/up:v-1")
    assert connect().api.inspect_image("someone/else:1")["Id"] == foreign.digest
    assert list((tmp_path / "layout" / "blobs" / "sha256").iterdir()) == []
    cleaner.remove_unnamed([], 1e12)
    connect().api.remove_image("someone/else:1")
    cleaner.remove_unnamed([], 1e12)
    assert list((tmp_path / "cache" / "bases").glob("*-engine-step.json")) == []


def test_an_image_that_vanishes_ends_no_clean_up(connect: LateEngine) -> None:
    assert _named_at(connect(), f"sha256:{'0' * 64}") > 1e12


def test_an_image_that_runs_is_not_removed(
    connect: LateEngine, registry: Registry, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    spec, builder = engine_spec(registry, command="python running.py"), engine_builder(connect, tmp_path)
    image = builder.build(spec, CODE, silent)
    container = connect().api.create_container(image.digest)["Id"]
    EngineCleaner(connect, PLACE, tmp_path / "layout", tmp_path / "cache").remove_unnamed([], 1e12)
    assert builder.find(spec) == image
    connect().api.remove_container(container)


def test_containers_that_killed_builds_have_left_are_removed(connect: LateEngine, registry: Registry, tmp_path: Path) -> None:
    image = engine_builder(connect, tmp_path).build(engine_spec(registry), CODE, silent)
    api = connect().api
    left = api.create_container(image.digest, name=f"{PREFIX}0")["Id"]
    other = api.create_container(image.digest, name=f"of-somebody-{PREFIX}1")["Id"]
    cleaner = EngineCleaner(connect, PLACE, tmp_path / "layout", tmp_path / "cache")
    cleaner.remove_unnamed([image.reference], 0.0)
    assert {found["Id"] for found in api.containers(all=True)} == {left, other}
    cleaner.remove_unnamed([image.reference], 1e12)
    assert {found["Id"] for found in api.containers(all=True)} == {other}
    api.remove_container(other)


def test_a_missing_engine_hinders_no_clean_up_of_the_disk(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    late = LateEngine({"DOCKER_HOST": f"unix://{tmp_path}/none.sock"})
    EngineCleaner(late, PLACE, tmp_path / "layout", tmp_path / "cache").remove_unnamed([], 1e12)
    assert "cannot clean up the Docker Engine's images: no Docker Engine answers" in caplog.text


KILLED = """\
import os, signal, sys
from pathlib import Path
sys.path[:0] = sys.argv[1:3]
from engine_images import engine_builder
from image_examples import CODE, spec_of
from controller.dockerd.engine import LateEngine

seen = 0

def progress(what, done, total):
    global seen
    seen += 1
    if what.startswith(sys.argv[6]) and seen >= int(sys.argv[7]):
        os.kill(os.getpid(), signal.SIGKILL)

spec = spec_of(CODE, repository=sys.argv[4], base=sys.argv[5], command="python killed.py", shim=True)
engine_builder(LateEngine(dict(os.environ)), Path(sys.argv[3])).build(spec, CODE, progress)
"""


@pytest.mark.parametrize(("what", "times"), [("sending the layer own", 1), ("build", 4)])
def test_killed_anywhere_there_is_no_name_and_the_next_build_finishes(
    docker_engine: Engine, connect: LateEngine, registry: Registry, tmp_path: Path, what: str, times: int
) -> None:
    here = Path(__file__)
    spec = engine_spec(registry, command="python killed.py", shim=True)
    arguments = [str(here.parents[2]), str(here.parent), str(tmp_path), spec.repository, spec.base, what, str(times)]
    environment = {**os.environ, **docker_engine.environment}
    done = subprocess.run(
        [sys.executable, "-c", KILLED, *arguments], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    builder = engine_builder(connect, tmp_path)
    assert builder.find(spec) is None
    image = builder.build(spec, CODE, silent)
    assert builder.find(spec) == image
    assert {"opt/pointsman/shim.py", "valohai/code/bin/start"} <= filesystem(connect(), image.digest).keys()


@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")  # the SDK's own, of a connection that it cannot make
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_engine_that_ends_in_the_middle_is_waited_for(registry: Registry, tmp_path: Path) -> None:
    socket, spec = tmp_path / "docker.sock", engine_spec(registry)
    late = LateEngine({"DOCKER_HOST": f"unix://{socket}"})
    builder = engine_builder(late, tmp_path)
    with ExitStack() as first:
        socket.symlink_to(first.enter_context(running_engine(tmp_path / "first")).socket)

        def end(what: str, done: int, total: int) -> None:
            if what.startswith("sending"):
                first.close()

        with pytest.raises(Unavailable, match="Docker Engine"):
            builder.build(spec, CODE, end)
    socket.unlink()
    with running_engine(tmp_path / "second") as second:
        socket.symlink_to(second.socket)
        assert builder.build(spec, CODE, silent) == builder.find(spec)
    late.close()


def _local_base(engine: Engine, tag: str, folder: Path) -> str:
    context = folder / "own"
    context.mkdir()
    (context / "own").write_text("own")
    (context / "Dockerfile").write_text("FROM mine/own:1\nADD own /etc/own\n")
    engine.run("build", "--tag", tag, str(context))
    return engine.run("image", "inspect", "--format", "{{.Id}}", tag).strip()

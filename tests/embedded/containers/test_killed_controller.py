"""A controller is killed; the next one goes on with the containers that still fit, and ends what nobody wants."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.cli.runtime.leftovers import remove_containers
from controller.dockerd.connection import connect
from controller.embedded.runtime.process.runtime import processes
from controller.embedded.runtime.runner import Runner
from controller.embedded.state_directory import StateDirectory
from controller.model.identity import ObjectKey
from tests.docker_engine.engine import Engine
from tests.embedded.containers.cluster import LONGEST, DockerCluster, containers_of, docker_cluster, remove_all
from tests.embedded.runtime.cluster import NAMESPACE, DirectoryImages, deployment, eventually
from tests.embedded.runtime.conftest import kill_everything_below, running_below

pytestmark = pytest.mark.faults

COUNTING = (
    "python3 -c 'import itertools, time\n"
    'for n in itertools.count(): print("line", n, flush=True); time.sleep(0.001)\' & exec python3 -m http.server 8000'
)
SERVER = "echo started; exec python3 -m http.server 8000"


@pytest.fixture
def root(tmp_path: Path, container_engine: Engine) -> Iterator[Path]:
    yield tmp_path
    kill_everything_below(tmp_path)
    remove_all(container_engine)


def killed_controller(root: Path, engine: Engine, command: str) -> set[str]:
    """Run a controller until two replicas are ready, kill it, and return the containers that it left running."""
    arguments = [str(root), str(engine.socket), str(engine.folder), command]
    whole = [sys.executable, "-m", "tests.embedded.containers.controller_process", *arguments]
    with subprocess.Popen(whole, stdout=subprocess.PIPE, cwd=Path(__file__).parents[3]) as controller:
        assert controller.stdout is not None
        assert controller.stdout.readline() == b"ready\n"
        controller.send_signal(signal.SIGKILL)
    return identities(engine, root)


def identities(engine: Engine, root: Path) -> set[str]:
    return {container["ID"] for container in containers_of(engine, root)}


def numbers(cluster: DockerCluster) -> dict[str, list[int]]:
    """Which numbers each replica's file holds, in their order."""
    assert cluster.runner is not None
    found: dict[str, list[int]] = {}
    for line in cluster.runner.logs.read(NAMESPACE, "web"):
        if line.text.startswith("line "):
            found.setdefault(line.replica, []).append(int(line.text.removeprefix("line ")))
    return found


def test_containers_go_on_and_are_taken_over_and_no_line_is_lost_or_doubled(root: Path, container_engine: Engine) -> None:
    left = killed_controller(root, container_engine, COUNTING)
    assert len(left) == 2
    with docker_cluster(root, container_engine) as cluster:
        cluster.start()
        cluster.wait_ready("web", 2)
        assert identities(container_engine, root) == left
        before = {name: found[-1] for name, found in numbers(cluster).items()}
        eventually(lambda: all(found[-1] > before[name] + 1000 for name, found in numbers(cluster).items()), LONGEST)
        assert [found == list(range(len(found))) for found in numbers(cluster).values()] == [True, True]
    assert identities(container_engine, root) == set()


def test_only_what_still_fits_is_taken_over(root: Path, container_engine: Engine) -> None:
    left = killed_controller(root, container_engine, SERVER)
    container_engine.run("kill", min(left))
    with docker_cluster(root, container_engine) as cluster:
        cluster.start()
        eventually(lambda: "'exitCode': 137" in str(cluster.pods("web")), LONGEST)
        cluster.wait_ready("web", 2)
        assert identities(container_engine, root) & left == {max(left)}
        cluster.store.apply(cluster.declared("web", SERVER, replicas=1, note="changed"))
        eventually(lambda: not identities(container_engine, root) & left, LONGEST)
        cluster.wait_ready("web", 1)
        cluster.store.delete(ObjectKey("Deployment", NAMESPACE, "web"))
        eventually(lambda: not identities(container_engine, root), LONGEST)


def test_two_directories_on_one_engine_leave_each_other_alone(root: Path, container_engine: Engine) -> None:
    first, second = root / "first", root / "second"
    left = killed_controller(first, container_engine, SERVER)
    with docker_cluster(second, container_engine) as cluster:
        cluster.start()
        cluster.store.apply(cluster.declared("web", SERVER))
        cluster.wait_ready("web")
    assert identities(container_engine, first) == left
    assert identities(container_engine, second) == set()


def test_each_runtime_ends_what_the_other_one_left(root: Path, container_engine: Engine) -> None:
    killed_controller(root, container_engine, SERVER)
    state = StateDirectory(root)
    remove_containers(state, lambda: connect(container_engine.environment))
    assert identities(container_engine, root) == set()
    with docker_cluster(root, container_engine) as cluster:
        cluster.store.apply(deployment("web", "exec sleep 1000"))
        runner = Runner(cluster.store, processes(DirectoryImages(root / "images")), root / "run")
        runner.start()
        eventually(lambda: running_below(root))
        cluster.start()
        assert running_below(root) == set()
        cluster.close()
        runner.stop(0.5)


def test_what_cannot_be_removed_is_told_with_the_command_that_does(
    root: Path, container_engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    killed_controller(root, container_engine, SERVER)
    nowhere = {"DOCKER_HOST": f"unix://{root}/absent.sock"}
    remove_containers(StateDirectory(root), lambda: connect(nowhere))
    told = capsys.readouterr().err
    assert "warning: containers of an earlier run may be left: no Docker Engine answers" in told
    container_engine.run("rm", "--force", *container_engine.run(*told.split("$(docker ")[1].split(")")[0].split()).split())
    assert identities(container_engine, root) == set()

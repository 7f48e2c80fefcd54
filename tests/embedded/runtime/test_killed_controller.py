"""A controller is killed at an odd moment; the next one goes on with what still runs and ends what nobody wants."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from controller.embedded.runtime.process.survivors import read_records
from controller.embedded.store import EmbeddedStore
from controller.model.identity import ObjectKey
from tests.embedded.runtime.cluster import NAMESPACE, Cluster, deployment, eventually, get
from tests.embedded.runtime.conftest import kill_everything_below, running_below

pytestmark = pytest.mark.faults

SERVER = "echo started >&2; exec python -m http.server 8000"


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    for part in ("code", "own"):
        (tmp_path / "images/image" / part).mkdir(parents=True)
    yield tmp_path
    kill_everything_below(tmp_path)


def killed_controller(root: Path, command: str) -> set[int]:
    """Run a controller until two replicas are ready, kill it, and return what it left running."""
    arguments = [sys.executable, "-m", "tests.embedded.runtime.controller_process", str(root), command]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, cwd=Path(__file__).parents[3]) as controller:
        assert controller.stdout is not None
        assert controller.stdout.readline() == b"ready\n"
        controller.send_signal(signal.SIGKILL)
    return running_below(root)


@contextmanager
def next_controller(root: Path) -> Iterator[Cluster]:
    with EmbeddedStore(root / "store") as store:
        cluster = Cluster(root, store)
        try:
            yield cluster
        finally:
            cluster.close()


def test_replicas_go_on_serving_and_are_taken_over(root: Path) -> None:
    left = killed_controller(root, SERVER)
    ports = {record.port for _, record in read_records(root / "run/replicas") if record}
    assert len(left) == len(ports) == 2
    assert all(get(port) for port in ports)
    with next_controller(root) as cluster:
        runner = cluster.start()
        assert set(cluster.wait_ready("web", 2)) == ports
        assert running_below(root) == left
        assert [line.text for line in runner.logs.read(NAMESPACE, "web") if line.text == "started"] == ["started"] * 2
    assert running_below(root) == set()


def test_a_replica_that_was_taken_over_is_started_again_when_it_ends(root: Path) -> None:
    left = killed_controller(root, SERVER)
    with next_controller(root) as cluster:
        cluster.start()
        cluster.wait_ready("web", 2)
        os.kill(min(left), signal.SIGKILL)
        eventually(lambda: "'restartCount': 1" in str(cluster.pods("web")))
        cluster.wait_ready("web", 2)
    assert running_below(root) == set()


def test_replicas_of_another_template_are_replaced(root: Path) -> None:
    left = killed_controller(root, SERVER)
    with next_controller(root) as cluster:
        cluster.store.apply(deployment("web", SERVER, replicas=1, note="changed"))
        cluster.start()
        cluster.wait_ready("web", 1)
        assert not left & running_below(root)


def test_replicas_without_a_deployment_are_ended(root: Path) -> None:
    killed_controller(root, f"(setsid sleep 1000) & {SERVER}")
    with next_controller(root) as cluster:
        cluster.store.delete(ObjectKey("Deployment", NAMESPACE, "web"))
        cluster.start()
        eventually(lambda: not running_below(root))
        assert list((root / "run/replicas").glob("*/*")) == []


def test_a_record_of_a_number_that_belongs_to_somebody_else_harms_nobody(root: Path) -> None:
    killed_controller(root, SERVER)
    kill_everything_below(root)
    eventually(lambda: not running_below(root))
    with subprocess.Popen(["sleep", "1000"]) as stranger:
        for directory, record in read_records(root / "run/replicas"):
            assert record is not None
            text = (directory / "replica.json").read_text().replace(f'"pid": {record.pid}', f'"pid": {stranger.pid}')
            (directory / "replica.json").write_text(text)
        with next_controller(root) as cluster:
            cluster.start()
            cluster.wait_ready("web", 2)
        assert stranger.poll() is None
        stranger.kill()


@pytest.mark.parametrize("lines", [0, 2, 4, 8, 16])
def test_a_kill_at_any_step_leaves_nothing_that_the_next_run_cannot_end(root: Path, lines: int) -> None:
    """The controller is killed after so many changes of its store: while it prepares, starts, probes, restarts."""
    arguments = [sys.executable, "-m", "tests.embedded.runtime.controller_process", str(root), "sleep 0.3; exit 1", str(lines)]
    with subprocess.Popen(arguments, cwd=Path(__file__).parents[3]) as controller:
        assert controller.wait(60) == -signal.SIGKILL
    with next_controller(root) as cluster:
        cluster.start()
        cluster.run("web", SERVER, replicas=2)
        cluster.wait_ready("web", 2)
        eventually(lambda: len(running_below(root)) == 2)
    assert running_below(root) == set()
    assert list((root / "run/replicas").glob("*/*")) == []

"""The Engine goes away under the containers, and comes back."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docker_engine.bases import load_python
from tests.docker_engine.engine import Engine, running_engine
from tests.embedded.containers.cluster import LONGEST, DockerCluster, docker_cluster
from tests.embedded.runtime.cluster import eventually

pytestmark = pytest.mark.faults

SERVER = "echo started; exec python3 -m http.server 8000"


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """One of its own, because it is stopped."""
    with running_engine(tmp_path_factory.mktemp("docker"), containers=True) as made:
        load_python(made)
        yield made


@pytest.fixture
def cluster(tmp_path: Path, engine: Engine) -> Iterator[DockerCluster]:
    with docker_cluster(tmp_path, engine) as made:
        yield made


def test_replicas_are_not_ready_with_a_reason_and_come_back_by_themselves(cluster: DockerCluster) -> None:
    cluster.start()
    cluster.store.apply(cluster.declared("web", SERVER, replicas=2))
    cluster.wait_ready("web", 2)
    for how in (signal.SIGKILL, signal.SIGTERM):
        with cluster.engine.stopped(how):
            eventually(lambda: cluster.ready_ports("web") == [], LONGEST)
            eventually(lambda: "no Docker Engine answers" in str(cluster.pods("web")), LONGEST)
        eventually(lambda: len(cluster.ready_ports("web")) == 2, LONGEST)
        eventually(lambda: len(cluster.containers()) == 2, LONGEST)


def test_an_end_without_the_engine_does_not_hang_and_the_next_run_removes_what_is_left(cluster: DockerCluster) -> None:
    cluster.start()
    cluster.store.apply(cluster.declared("web", SERVER))
    cluster.wait_ready("web")
    with cluster.engine.stopped(signal.SIGKILL):
        assert cluster.runner is not None
        cluster.runner.stop(0.5)
        cluster.runner = None
        assert cluster.pods("web") == []
    assert len(cluster.containers()) == 1
    cluster.start()
    eventually(lambda: len(cluster.ready_ports("web")) == 1, LONGEST)
    assert len(cluster.containers()) == 1

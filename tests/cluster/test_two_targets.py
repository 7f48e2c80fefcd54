"""One repository on two real clusters: each is served by itself, and a dead one delays nobody."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import pytest

from tests.cluster.fixtures import Testbed
from tests.cluster.load import constant_load
from tests.cluster.neighbour import ELSEWHERE, neighbour
from tests.cluster.stage import Stage, eventually, staged
from tests.system.repository import alias_file

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]
FAR = "europe"
DEATHS = ("falls silent", "ends")


@pytest.fixture
def stage(testbed: Testbed, tmp_path: Path) -> Iterator[Stage]:
    with staged(testbed, tmp_path) as found:
        yield found


@pytest.fixture
def far(stage: Stage, second_testbed: Testbed) -> Iterator[Stage]:
    """The deployment on the other cluster; nothing is released yet."""
    with neighbour(stage, second_testbed, FAR) as there:
        stage.repository.configure(FAR, rollout={"deadline": "2m"}, target=ELSEWHERE)
        yield there


def test_each_cluster_serves_what_is_declared_for_it(stage: Stage, far: Stage) -> None:
    stage.repository.release("1.0")
    stage.repository.release("2.0", deployment=FAR)
    with stage.controller():
        stage.until("production", version="1.0")
        far.until("production", version="2.0")
        assert stage.of(FAR).get("production").status_code == 404
        assert far.of(stage.unit.deployment).get("production").status_code == 404
        assert not far.of(stage.unit.deployment).record().inventory


@pytest.mark.parametrize("how", DEATHS)
def test_a_dead_cluster_delays_nobody_and_catches_up(how: str, stage: Stage, far: Stage) -> None:
    """Its gateway goes on without its API server, and the other cluster gets two releases meanwhile."""
    release(stage, "1.0")
    with stage.controller():
        stage.until("production", version="1.0")
        far.until("production", version="1.0")
        with constant_load(stage, "production") as load, constant_load(far, "production") as load_far:
            with dead(far, how):
                stage.until_applied(release(stage, "2.0"))
                newest = release(stage, "3.0")
                stage.until_applied(newest)
                stage.until("production", version="3.0")
                assert far.said("production")["version"] == "1.0"
                eventually(lambda: f"target {ELSEWHERE}" in stage.log(), stage.log)
            far.until_applied(newest)
            far.until("production", version="3.0")
    assert load.faults + load_far.faults == []


def test_a_controller_that_starts_beside_a_dead_cluster_serves_the_other(stage: Stage, far: Stage) -> None:
    newest = release(stage, "1.0")
    with ExitStack() as death:
        death.enter_context(dead(far, "falls silent"))
        with stage.controller():
            stage.until_applied(newest)
            death.close()
            far.until_applied(newest)
            far.until("production", version="1.0")


def release(stage: Stage, version: str) -> str:
    """The same version in both deployments, by one commit."""
    return stage.repository.release(version, **{alias_file(deployment=FAR): {"version": version}})


def dead(far: Stage, how: str) -> AbstractContextManager[None]:
    """The other cluster without its API server; pods and gateway run on."""
    parts = far.testbed.parts()
    return parts.silent_api() if how == "falls silent" else parts.without("kube-apiserver")

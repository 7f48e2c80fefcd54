"""No request fails during a switch on Kubernetes, whatever caused it and however large either side is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from controller.model import labels
from controller.model.objects import Object, annotation, at
from controller.model.routes import backend_of
from tests.cluster.fixtures import Testbed
from tests.cluster.load import answer_agrees, constant_load
from tests.cluster.stage import Stage, eventually, staged
from tests.cluster.timeline import Timeline
from tests.system.load import Load
from tests.system.repository import version_file

pytestmark = pytest.mark.cluster
FLIPS = 20
SIZED_FLIPS = 4
KINDS = ("Deployment", "HTTPRoute")


@pytest.fixture
def stage(testbed: Testbed, tmp_path: Path) -> Iterator[Stage]:
    with staged(testbed, tmp_path) as found:
        yield found


@pytest.mark.parametrize("replicas", [1, 2])
def test_twenty_flips_under_load_fail_no_request_and_mix_no_answer(replicas: int, stage: Stage) -> None:
    stage.gateways = stage.gateways[:replicas]
    repository = stage.repository
    repository.release("1.0")
    repository.release("2.0")
    with stage.controller():
        stage.until("production", version="2.0")
        stage.until("1.0", version="1.0")
        pods = set(stage.pods())
        with constant_load(stage, "production") as load:
            for flip in range(FLIPS):
                version = ("1.0", "2.0")[flip % 2]
                repository.move(version)
                stage.until("production", version=version)
        assert set(stage.pods()) == pods, "what is warm serves again as it is"
    assert load.faults == []
    assert all(load.answers)


def test_a_changed_variable_is_rolled_out_under_load_and_its_revert_lands_on_the_same_pods(stage: Stage) -> None:
    """The URLs of the version and of the alias both lead to other pods, and back."""
    colors: dict[str, str] = {}

    def workload_agrees(headers: Mapping[str, str], said: Mapping[str, Any]) -> str | None:
        color = colors.setdefault(headers["x-pointsman-workload"], said["color"])
        return None if said["color"] == color else f"{color}: {said}"

    repository = stage.repository
    repository.configure(environment={"COLOR": "red"})
    repository.release("1.0")
    with stage.controller():
        red = stage.until("production", color="red")
        loads = [constant_load(stage, name, workload_agrees) for name in ("production", "1.0")]
        with loads[0], loads[1]:
            repository.configure(environment={"COLOR": "green"})
            stage.until("production", color="green")
            stage.until("1.0", color="green")
            repository.git("revert", "--no-edit", "HEAD")
            back = stage.until("production", color="red")
            stage.until("1.0", color="red")
    assert [load.faults for load in loads] == [[], []]
    assert sorted(colors.values()) == ["green", "red"]
    assert back["pod"] == red["pod"]


def test_requests_under_way_are_answered_by_the_version_that_began_them(stage: Stage) -> None:
    """They take longer than the drain, and the old version is removed meanwhile."""
    repository = stage.repository
    repository.configure(rollout={"deadline": "2m", "keepWarm": "0s"})
    repository.release("1.0")
    with stage.controller():
        stage.until("production", version="1.0")
        slow = [f"{url}?seconds=6" for url in stage.urls("production")]
        with Load(slow, answer_agrees, fresh=2, pause=0.5) as load:
            eventually(lambda: all(load.answers))
            repository.release("2.0", **{version_file("1.0"): {"enabled": False}})
            eventually(lambda: not _names_of(stage, "1.0"), stage.conditions)
    assert load.faults == []


def test_capacity_is_matched_before_the_route_changes(stage: Stage) -> None:
    """Who serves has grown to four pods; who is to serve begins with one, and gets as many before it gets a request."""
    repository = stage.repository
    scale = {"scale": {"min": 1, "max": 4, "cpu": 50}, "resources": {"cpu": {"min": 0.01}}}
    repository.configure(endpoints={"say": scale}, rollout={"deadline": "2m", "keepWarm": "0s"})
    repository.release("1.0", alias=None)
    repository.release("2.0")
    with stage.controller():
        stage.until("production", version="2.0")
        stage.until("1.0", version="1.0")
        with constant_load(stage, "production") as load, Timeline(stage.client, stage.namespace, KINDS) as seen:
            for flip in range(SIZED_FLIPS):
                there, here = ("2.0", "1.0") if flip % 2 else ("1.0", "2.0")
                eventually(lambda a=here, b=there: (_ready(stage, a), _ready(stage, b)) == (4, 1), stage.conditions)
                repository.move(there)
                stage.until("production", version=there)
    assert load.faults == []
    moves = list(_moves(seen))
    assert len(moves) == SIZED_FLIPS
    for route in moves:
        then = seen.last("Deployment", str(backend_of(route)), before=route)
        assert at(then, "status", "readyReplicas") == 4


def _moves(seen: Timeline) -> Iterator[Object]:
    """Every state of the alias's route that leads elsewhere than the one before it."""
    states = [route for route in seen.states("HTTPRoute") if annotation(route, labels.ALIAS) == "production"]
    return (new for old, new in pairwise(states) if backend_of(old) != backend_of(new))


def _ready(stage: Stage, version: str) -> int:
    return int(at(stage.workload(version), "status", "readyReplicas", default=0))


def _names_of(stage: Stage, version: str) -> set[str]:
    return {key.name for key, obj in stage.objects("Deployment").items() if annotation(obj, labels.VERSION) == version}

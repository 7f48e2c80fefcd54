"""No request fails during a switch on Kubernetes, whatever caused it and however large either side is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from controller.model import labels
from controller.model.objects import annotation, at
from controller.model.routes import backend_of
from tests.cluster.fixtures import Testbed
from tests.cluster.load import constant_load
from tests.cluster.stage import Stage, eventually, staged
from tests.cluster.timeline import Timeline

pytestmark = pytest.mark.cluster
FLIPS = 20


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
        with constant_load(stage, "production") as load:
            for flip in range(FLIPS):
                version = ("1.0", "2.0")[flip % 2]
                repository.move(version)
                stage.until("production", version=version)
    assert load.faults == []
    assert all(load.answers)


def test_a_changed_variable_is_rolled_out_under_load_and_its_revert_lands_on_the_same_pods(stage: Stage) -> None:
    colors: dict[str, str] = {}

    def workload_agrees(headers: Mapping[str, str], said: Mapping[str, Any]) -> str | None:
        color = colors.setdefault(headers["x-pointsman-workload"], said["color"])
        return None if said["color"] == color else f"{color}: {said}"

    repository = stage.repository
    repository.configure(environment={"COLOR": "red"})
    repository.release("1.0")
    with stage.controller():
        red = stage.until("production", color="red")
        with constant_load(stage, "production", workload_agrees) as load:
            repository.configure(environment={"COLOR": "green"})
            stage.until("production", color="green")
            repository.git("revert", "--no-edit", "HEAD")
            back = stage.until("production", color="red")
    assert load.faults == []
    assert sorted(colors.values()) == ["green", "red"]
    assert back["pod"] == red["pod"]


def test_capacity_is_matched_before_the_route_changes(stage: Stage) -> None:
    """X has grown to four pods under its load; Y, which would begin with one, gets as many before it gets a request."""
    repository = stage.repository
    repository.configure(endpoints={"say": {"scale": {"min": 1, "max": 4, "cpu": 50}, "resources": {"cpu": {"min": 0.01}}}})
    repository.release("1.0")
    with stage.controller():
        stage.until("production", version="1.0")
        with (
            constant_load(stage, "production") as load,
            Timeline(stage.client, stage.namespace, ("Deployment", "HTTPRoute")) as seen,
        ):
            eventually(lambda: at(stage.workload("1.0"), "status", "readyReplicas", default=0) == 4, stage.conditions)
            repository.release("2.0")
            stage.until("production", version="2.0")
    assert load.faults == []
    name = stage.workload("2.0")["metadata"]["name"]
    moved = seen.first("HTTPRoute", lambda route: annotation(route, labels.ALIAS) == "production" and backend_of(route) == name)
    then = seen.last("Deployment", name, before=moved)
    assert at(then, "status", "readyReplicas") == 4

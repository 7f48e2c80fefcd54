"""Under `strategy: recreate` nothing that serves is stopped for a node that is not there, and the nodes are looked at again."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from bench.declared_repository import Shape, deployment_name
from controller.engine.passes import PassResult
from controller.engine.sight import ROOMS_GOOD_FOR
from controller.model.objects import at
from controller.model.observed import NodeRoom
from tests.engine.commits import commit_files
from tests.engine.settling import LONGEST, Settling, settling

pytestmark = pytest.mark.system
ROOM = {"cpu": 8.0, "memory": 8e9, "pods": 100.0}
NODE = NodeRoom("a", {}, (), ROOM, ROOM)
FILE = f"pointsman/deployments/{deployment_name(0)}/deployment.yaml"
ELSEWHERE = "rollout: {strategy: recreate}\nendpoints: {predict: {node-selector: pool=gpu}}\n"


def until_nothing_is_left_to_do_at_once(made: Settling) -> PassResult:
    """The first pass whose next one is later."""
    deadline = time.monotonic() + LONGEST
    while not (result := made.run(made.units[0])).again:
        assert time.monotonic() < deadline, f"it goes on and on: {result.plan}"
    return result


def test_what_serves_runs_on_and_a_node_is_soon_noticed(tmp_path: Path) -> None:
    with settling(tmp_path, Shape(1, 1), lambda usual: replace(usual, capacity=lambda: (NODE,))) as made:
        made.settle()
        commit_files(made.repository, {FILE: ELSEWHERE})
        made.read()
        result = until_nothing_is_left_to_do_at_once(made)
        assert {failure.reason for failure in result.plan.failures} == {"DoesNotFit"}
        assert result.again <= ROOMS_GOOD_FOR
        again = made.run(made.units[0])
        assert again.plan.is_empty
        assert again.again <= ROOMS_GOOD_FOR
        running = [at(deployment, "spec", "replicas") for deployment in made.store.list("Deployment").items]
        assert sorted(running) == [0, 2]

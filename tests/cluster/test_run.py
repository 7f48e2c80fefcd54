"""`pointsman run` on a real cluster, with exactly the rights of `manifests/access`: a Lease, a takeover, a missing Gateway."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from controller.model.identity import ObjectKey
from tests.cluster.fixtures import Testbed
from tests.cluster.stage import Stage, eventually, staged

pytestmark = pytest.mark.cluster


@pytest.fixture
def stage(testbed: Testbed, tmp_path: Path) -> Iterator[Stage]:
    with staged(testbed, tmp_path) as found:
        yield found


def said(stage: Stage) -> list[str]:
    """The messages of the newest controller's log."""
    return [json.loads(line)["message"] for line in stage.logs[-1].read_text().splitlines()]


def test_the_documented_rights_are_enough_for_a_release_and_its_removal(stage: Stage) -> None:
    stage.repository.configure(rollout={"deadline": "2m", "keepWarm": "0s"}, idle={"replicas": 0})
    stage.repository.release("1")
    with stage.controller():
        stage.until("production", version="1")
        stage.until_applied(stage.repository.release("2"))
        stage.until("production", version="2")
        eventually(lambda: stage.workload("1")["spec"]["replicas"] == 0, stage.log)
    refused = [line for line in said(stage) if "forbidden" in line.lower() or "not allowed" in line.lower()]
    assert refused == []
    probe = stage.client.get(ObjectKey("Secret", stage.installation.namespace, "pointsman-probe"))
    assert probe
    assert probe["data"]["password"] not in stage.logs[-1].read_text()


def test_another_controller_takes_over_when_the_one_that_leads_is_killed(stage: Stage, tmp_path: Path) -> None:
    other = replace(stage, directory=tmp_path / "other", logs=[])
    other.directory.mkdir()
    stage.repository.release("1")
    with stage.controller() as first:
        stage.until("production", version="1")
        with other.controller():
            eventually(lambda: any("is open" in line for line in said(other)), other.log)
            assert not any("leads target" in line and "this one waits" not in line for line in said(other))
            first.send_signal(signal.SIGKILL)
            stage.repository.release("2")
            other.until("production", version="2")
            assert any("leads target cluster" in line and "this one waits" not in line for line in said(other))


def test_without_its_gateway_a_target_says_what_to_do(stage: Stage) -> None:
    stage.settings["gateway"] = {"url": "http://127.0.0.1:1", "name": "absent"}
    stage.repository.release("1")
    with stage.controller():
        eventually(lambda: any("the Gateway gateways/absent does not exist" in line for line in said(stage)), stage.log)
    assert stage.objects() == {}

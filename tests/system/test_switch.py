"""A switch under constant load fails no request, whether a commit moved the alias or changed a setting."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tests.system.load import CLIENTS, Load, version_agrees
from tests.system.repository import path
from tests.system.stage import Stage

pytestmark = pytest.mark.system
FLIPS = 20


def test_twenty_flips_under_load_fail_no_request_and_mix_no_answer(stage: Stage) -> None:
    repository = stage.repository
    repository.release("1.0")
    repository.release("2.0")
    stage.until("production", version="2.0")
    stage.until("1.0", version="1.0")
    with Load(stage.serving.url + path("production"), version_agrees) as load:
        for flip in range(FLIPS):
            version = ("1.0", "2.0")[flip % 2]
            repository.move(version)
            stage.until("production", version=version)
    assert load.faults == []
    assert len(load.answers) == CLIENTS
    assert all(load.answers)


def test_a_changed_variable_is_rolled_out_under_load_like_a_release(stage: Stage) -> None:
    colors: dict[str, str] = {}

    def workload_agrees(headers: Mapping[str, str], said: Mapping[str, Any]) -> str | None:
        color = colors.setdefault(headers["x-pointsman-workload"], said["color"])
        return None if said["color"] == color else f"{color}: {said}"

    repository = stage.repository
    repository.configure(environment={"COLOR": "red"})
    repository.release("1.0")
    red = stage.until("production", color="red")
    with Load(stage.serving.url + path("production"), workload_agrees) as load:
        repository.configure(environment={"COLOR": "green"})
        stage.until("production", color="green")
        repository.git("revert", "--no-edit", "HEAD")
        back = stage.until("production", color="red")
    assert load.faults == []
    assert sorted(colors.values()) == ["green", "red"]
    assert back["pid"] == red["pid"], "the revert lands on the workload that is still warm"

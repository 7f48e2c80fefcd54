"""kill -9 whenever it pleases: of the controller while commits arrive, and of single replicas under load."""

from __future__ import annotations

import os
import random
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import pytest

from tests.faults.disturbed import Disturbed, EndState, kill
from tests.faults.release import Chapter, Release
from tests.system.load import Load, version_agrees
from tests.system.repository import Repository, path
from tests.system.stage import Stage, eventually, staged

pytestmark = pytest.mark.faults
KILLS = 10
LONGEST_LIFE = 4.0


def test_a_controller_that_dies_again_and_again_gets_there(
    disturbed: Disturbed, release: Release, expected: Mapping[Chapter, EndState]
) -> None:
    seed = random.randrange(1 << 32)
    lives = random.Random(seed)
    for number in range(KILLS):
        if number == KILLS // 2:
            release.switch()
        with disturbed.controller() as process:
            with suppress(subprocess.TimeoutExpired):
                process.wait(lives.uniform(0.5, LONGEST_LIFE))
            kill(process)
    with disturbed.controller() as process:
        assert release.is_carried_out(process), f"seed {seed}: {disturbed.log()}"
        assert disturbed.ends_as(process, expected[Chapter.SWITCH]), f"seed {seed}"
        ports = disturbed.ports()
    assert disturbed.nothing_left(ports)


def answering(stage: Stage) -> set[int]:
    """The processes that answer at the alias URL."""
    return {stage.said("production").get("pid", 0) for _ in range(12)}


def test_a_replica_that_is_killed_costs_no_request(tmp_path: Path) -> None:
    repository = Repository.create(tmp_path / "echo")
    repository.configure(endpoints={"say": {"scale": {"min": 3, "max": 3}}})
    repository.release("1.0")
    with staged(repository, tmp_path / "state") as stage:
        stage.until_applied(repository.git("rev-parse", "HEAD"))
        first = answering(stage)
        with Load(stage.serving.url + path("production"), version_agrees) as load:
            for pid in sorted(first):
                os.kill(pid, signal.SIGKILL)
                eventually(lambda pid=pid: len(answering(stage) - {pid}) == 3)
        assert load.faults == []
        assert not first & answering(stage)

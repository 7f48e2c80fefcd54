"""kill -9 at every named step of a release that moves an alias: nobody who asks notices, and the next start continues."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from itertools import count

import pytest

from controller.engine.steps import Step
from controller.model import labels
from controller.model.objects import annotation
from tests.cluster.fixtures import Testbed
from tests.cluster.load import constant_load
from tests.cluster.stage import Stage, eventually, staged
from tests.system.repository import alias_file, version_file

pytestmark = pytest.mark.cluster
GOLDEN = {"request": {"path": "/"}, "expect": {"status": 200, "json": {"color": None}}}


class Story:
    """Each chapter releases a version with new code, moves the alias and switches the version before it off."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self._numbers = count(1)
        self.version = self.commit = ""

    def begin(self) -> None:
        self.stage.repository.configure(rollout={"deadline": "2m", "keepWarm": "0s"})
        self._release(**{"golden/say/color.yaml": GOLDEN})
        with self.stage.controller():
            self.stage.until_applied(self.commit)

    def go_on(self) -> None:
        """Commit the next chapter."""
        self._release(**{version_file(self.version): {"enabled": False}})

    def is_over(self) -> bool:
        """Whether the newest commit serves and nothing remains of the version before it."""
        versions = {annotation(obj, labels.VERSION) for obj in self.stage.objects("Deployment", "HTTPRoute").values()}
        return self.stage.is_applied(self.commit) and versions == {self.version}

    def _release(self, **files: object) -> None:
        self.version = f"{next(self._numbers)}.0"
        self.commit = self.stage.repository.release(self.version, **{alias_file(): {"version": self.version}}, **files)


@pytest.fixture(scope="module")
def story(testbed: Testbed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    with staged(testbed, tmp_path_factory.mktemp("killed")) as stage:
        stage.settings["drain"] = "1s"
        told = Story(stage)
        told.begin()
        yield told


@pytest.mark.parametrize("step", Step)
def test_nobody_notices_and_the_next_start_continues(step: Step, story: Story) -> None:
    stage = story.stage
    with constant_load(stage, "production") as load:
        story.go_on()
        with stage.controller(kill_at=step) as process:
            assert not stage.survives(process, story.is_over), f"{step} was never reached\n{stage.log()}"
        assert process.returncode == -signal.SIGKILL, stage.log()
        with stage.controller():
            eventually(story.is_over, lambda: f"{stage.conditions()}\n{stage.log()}")
    assert load.faults == []
    assert stage.said("production")["version"] == story.version

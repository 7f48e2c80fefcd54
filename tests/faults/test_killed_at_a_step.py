"""kill -9 at every named step of a release and of a switch; the next start ends where an undisturbed run ends."""

from __future__ import annotations

import signal
from collections.abc import Mapping

import pytest

from controller.engine.steps import Step
from tests.faults.disturbed import Disturbed, EndState
from tests.faults.release import Chapter, Release

pytestmark = pytest.mark.faults
_LATER = [
    (Chapter.RELEASE, Step.RECORD_WRITTEN, 2),
    (Chapter.RELEASE, Step.OBJECT_APPLIED, 3),
    (Chapter.SWITCH, Step.PLANNED, 5),
    (Chapter.SWITCH, Step.RECORD_WRITTEN, 3),
    (Chapter.SWITCH, Step.RECORD_WRITTEN, 5),
    (Chapter.SWITCH, Step.CHANGES_APPLIED, 5),
    (Chapter.SWITCH, Step.OBJECT_DELETED, 2),
    (Chapter.SWITCH, Step.OBJECT_DELETED, 3),
]
MOMENTS = [
    *((Chapter.RELEASE, step, 1) for step in Step if step is not Step.OBJECT_DELETED),
    *((Chapter.SWITCH, step, 1) for step in Step),
    *_LATER,
]


@pytest.mark.parametrize(("chapter", "step", "occurrence"), MOMENTS)
def test_the_next_start_continues(
    chapter: Chapter,
    step: Step,
    occurrence: int,
    disturbed: Disturbed,
    release: Release,
    expected: Mapping[Chapter, EndState],
) -> None:
    release.serve_until(chapter)
    with disturbed.controller(kill_at=f"{step}:{occurrence}") as process:
        assert not release.is_carried_out(process), "this step was never reached"
    assert process.returncode == -signal.SIGKILL, disturbed.log()
    with disturbed.controller() as process:
        assert release.is_carried_out(process), disturbed.log()
        assert disturbed.ends_as(process, expected[chapter])
        assert disturbed.said()["version"] == release.version
        ports = disturbed.ports()
    assert disturbed.nothing_left(ports)

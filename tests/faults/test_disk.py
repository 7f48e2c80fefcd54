"""A disk that loses the end of what was written, or takes nothing more."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tests.faults.disturbed import Disturbed, EndState, kill
from tests.faults.release import Chapter, Release

pytestmark = pytest.mark.faults


@pytest.mark.parametrize("part", [0.35, 0.6, 0.85, 0.999])
def test_a_journal_that_is_cut_off_is_made_up_for(
    part: float, disturbed: Disturbed, release: Release, expected: Mapping[Chapter, EndState]
) -> None:
    with disturbed.controller() as process:
        assert release.is_carried_out(process), disturbed.log()
        release.switch()
        assert release.is_carried_out(process), disturbed.log()
        kill(process)
    journal = max(disturbed.state.store.glob("objects-*.journal"))
    content = journal.read_bytes()
    journal.write_bytes(content[: int(len(content) * part)])
    with disturbed.controller() as process:
        assert release.is_carried_out(process), disturbed.log()
        assert disturbed.ends_as(process, expected[Chapter.SWITCH])
        assert disturbed.said()["version"] == release.version
        ports = disturbed.ports()
    assert disturbed.nothing_left(ports)


@pytest.mark.parametrize("blocks", [2, 16, 64])
def test_a_full_disk_is_told_and_survived(
    blocks: int, disturbed: Disturbed, release: Release, expected: Mapping[Chapter, EndState]
) -> None:
    with disturbed.controller(file_size=blocks) as process:
        assert disturbed.until(process, lambda: "File too large" in disturbed.log()), disturbed.log()
    with disturbed.controller() as process:
        assert release.is_carried_out(process), disturbed.log()
        assert disturbed.ends_as(process, expected[Chapter.RELEASE])

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.faults.disturbed import Disturbed, EndState
from tests.faults.release import Chapter, Release


@pytest.fixture
def disturbed(tmp_path: Path) -> Iterator[Disturbed]:
    found = Disturbed(tmp_path)
    try:
        yield found
    finally:
        found.clean_up()


@pytest.fixture
def release(disturbed: Disturbed) -> Release:
    return Release(disturbed)


@pytest.fixture(scope="session")
def expected(tmp_path_factory: pytest.TempPathFactory) -> Mapping[Chapter, EndState]:
    """How each chapter ends when nobody disturbs it."""
    found = Disturbed(tmp_path_factory.mktemp("undisturbed"))
    release = Release(found)
    ends = {}
    try:
        with found.controller() as process:
            assert release.is_carried_out(process), found.log()
            ends[Chapter.RELEASE] = found.end_state()
            release.switch()
            assert release.is_carried_out(process), found.log()
            ends[Chapter.SWITCH] = found.end_state()
    finally:
        found.clean_up()
    return ends

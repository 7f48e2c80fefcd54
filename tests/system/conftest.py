from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.repository import Repository
from tests.system.stage import Stage, staged


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """Project and code, and an open deployment; nothing released yet."""
    made = Repository.create(tmp_path / "echo")
    made.configure()
    return made


@pytest.fixture
def stage(repository: Repository, tmp_path: Path) -> Iterator[Stage]:
    with staged(repository, tmp_path / "state") as found:
        yield found

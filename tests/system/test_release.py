"""A commit releases, a merge promotes, a revert rolls back: what a client sees of it."""

from __future__ import annotations

import pytest

from tests.system.repository import alias_file, path
from tests.system.stage import Stage

pytestmark = pytest.mark.system


def test_a_commit_is_served_under_its_version_and_its_alias(stage: Stage) -> None:
    commit = stage.repository.release("1.0")
    said = stage.until("production", version="1.0")
    assert said["code"] == "code of 1.0"
    assert said["prefix"] == path("production")
    assert stage.said("1.0")["prefix"] == path("1.0")
    stage.until_applied(commit)
    answer = stage.get(path("production"))
    assert answer.headers["X-Pointsman-Version"] == "1.0"
    assert commit[:10] in answer.headers["X-Pointsman-Revision"]


def test_a_merge_promotes_and_a_revert_rolls_back(stage: Stage) -> None:
    repository = stage.repository
    repository.release("1.0")
    first = stage.until("production", version="1.0")
    repository.git("switch", "--quiet", "--create", "next")
    repository.release("2.0")
    repository.git("switch", "--quiet", "main")
    stage.until("production", version="1.0")
    repository.git("merge", "--quiet", "--no-ff", "--message", "Release 2.0", "next")
    second = stage.until("production", version="2.0")
    assert second["code"] == "code of 2.0"
    repository.git("revert", "--no-edit", "--mainline", "1", "HEAD")
    again = stage.until("production", version="1.0")
    assert again["pid"] == first["pid"], "a warm version is not started again"
    repository.git("revert", "--no-edit", "HEAD")
    assert stage.until("production", version="2.0")["pid"] == second["pid"]
    assert not (repository.root / alias_file("staging")).exists()

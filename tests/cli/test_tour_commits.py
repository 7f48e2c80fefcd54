"""What a tour commits, as the repository that is served sees it."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.cli.scratch import Scratch, scratch
from controller.cli.tour_commits import NEW, Repository

pytestmark = pytest.mark.system


def test_what_is_checked_out_moves_by_the_merge_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with scratch(keep=False) as copy:
        Repository(copy).release()
        Repository(copy).promote_by_merge()
        assert [move.partition(":")[0] for move in moves_of(copy, 2)] == ["merge promote-20181004.0", "commit"]
        assert copy.git().text("log", "-1", "--format=%s", "HEAD^2") == f"Promote {NEW} to production"
        assert copy.git().text("worktree", "list").count("\n") == 0
        assert not list(tmp_path.rglob("promote-*/valohai.yaml"))


def moves_of(copy: Scratch, last: int) -> list[str]:
    """The newest entries of the reflog: each commit that was ever checked out here."""
    return copy.git().text("reflog", "show", f"-{last}", "--format=%gs", "HEAD").splitlines()

"""Positions of changes and releases on the first-parent line, and what rewritten history means."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.model.source import Snapshot, releases_hold
from controller.source.local import WorkingDirectory
from tests.source.conftest import Repo

pytestmark = pytest.mark.contract

ALIAS = "pointsman/deployments/eu/aliases/production.yaml"
RELEASE = "allow\n\nPointsman-Allow-Prune: eu\n\nmore text"


def _holds(snapshot: Snapshot, deployment: str, path: str) -> bool:
    return releases_hold(snapshot.changed, snapshot.releases, deployment, path)


def fresh(repo: Repo, tmp_path: Path) -> WorkingDirectory:
    return WorkingDirectory(repo.path, state=tmp_path / "state", committed=True)


def test_positions_count_every_commit_of_the_line(repo: Repo, source: WorkingDirectory) -> None:
    repo.version("1")
    repo.alias("1")
    assert source.snapshot().changed[ALIAS] == 0
    repo.commit("code", **{"serve.py": "x"})
    repo.alias(None)
    repo.commit("code", **{"serve.py": "y"})
    snapshot = source.snapshot()
    assert snapshot.changed[ALIAS] == 1
    assert snapshot.changed["pointsman/versions/1.yaml"] == 4
    assert ALIAS not in snapshot.files


def test_a_release_counts_from_the_change_on(repo: Repo, source: WorkingDirectory) -> None:
    repo.version("1")
    repo.alias("1")
    repo.commit(RELEASE)
    repo.alias(None)
    assert not _holds(source.snapshot(), "eu", ALIAS)
    released = repo.commit(RELEASE)
    snapshot = source.snapshot()
    assert _holds(snapshot, "eu", ALIAS)
    assert not _holds(snapshot, "us", ALIAS)
    assert next((r.commit, r.position) for r in snapshot.releases) == (released, 0)


def test_the_commit_itself_may_release(repo: Repo, source: WorkingDirectory) -> None:
    repo.version("1")
    repo.alias("1")
    repo.alias(None, RELEASE)
    assert _holds(source.snapshot(), "eu", ALIAS)


def test_a_release_inside_a_merged_branch_counts_where_it_was_merged(
    repo: Repo, source: WorkingDirectory, tmp_path: Path
) -> None:
    repo.version("1")
    repo.alias("1")
    source.snapshot()
    repo.git("checkout", "-q", "-b", "cleanup")
    released = repo.commit(RELEASE)
    repo.alias(None)
    repo.git("checkout", "-q", "main")
    repo.commit("meanwhile", a="b")
    repo.git("merge", "-q", "--no-ff", "cleanup")
    repo.commit("after", a="c")
    for snapshot in (source.snapshot(), fresh(repo, tmp_path).snapshot()):
        assert [(r.deployment, r.commit, r.position) for r in snapshot.releases] == [("eu", released, 1)]
        assert snapshot.changed[ALIAS] == 1
        assert _holds(snapshot, "eu", ALIAS)


@pytest.mark.parametrize(
    "line",
    ["Pointsman-Allow-Prune: ", "x Pointsman-Allow-Prune: eu", " Pointsman-Allow-Prune: eu", "Pointsman-Allow-Prune: e u"],
)
def test_what_only_looks_like_a_release(repo: Repo, source: WorkingDirectory, line: str) -> None:
    repo.commit(f"message\n\n{line}")
    assert not source.snapshot().releases


def test_following_gives_the_same_as_reading_afresh(repo: Repo, source: WorkingDirectory, tmp_path: Path) -> None:
    for name in "1234":
        repo.version(name)
        repo.git("checkout", "-q", "-b", f"b{name}")
        repo.alias(name, RELEASE)
        repo.git("checkout", "-q", "main")
        repo.commit("code", **{"serve.py": name})
        repo.git("merge", "-q", "--no-ff", f"b{name}")
        assert source.snapshot() == fresh(repo, tmp_path).snapshot()


def test_rewritten_history_is_told_and_read_afresh(repo: Repo, source: WorkingDirectory) -> None:
    repo.version("1")
    old = repo.version("2")
    assert source.snapshot().versions["2"].commit == old
    repo.git("reset", "-q", "--hard", "HEAD~1")
    new = repo.version("2", "enabled: false\n", message=RELEASE)
    snapshot = source.snapshot()
    assert (snapshot.versions["2"].commit, snapshot.versions["2"].text) == (new, b"enabled: false\n")
    assert source.is_ancestor(f"{repo.git('rev-parse', 'HEAD~1')}", new)
    assert not source.is_ancestor(old, new)
    assert not source.is_ancestor("f" * 40, new)
    assert not source.is_ancestor("--help", new)


def test_a_head_that_merged_the_old_line_from_the_side_is_read_afresh(
    repo: Repo, source: WorkingDirectory, tmp_path: Path
) -> None:
    """A fast-forward to a merge whose second parent was the branch: the first-parent line is another one."""
    repo.git("checkout", "-q", "-b", "other")
    repo.version("1")
    repo.git("checkout", "-q", "main")
    repo.version("2")
    old = source.snapshot()
    repo.git("checkout", "-q", "other")
    repo.git("merge", "-q", "--no-ff", "main")
    repo.git("checkout", "-q", "main")
    repo.git("merge", "-q", "--ff-only", "other")
    snapshot = source.snapshot()
    assert source.is_ancestor(old.revision.commit, snapshot.revision.commit)
    assert snapshot.versions["2"].commit == repo.head
    assert snapshot == fresh(repo, tmp_path).snapshot()

"""A mirror: looks cheaply, fetches what is new, and never takes an error for a state."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest

from controller.model.errors import PointsmanError, Stalled, Transient
from controller.source.bare import FETCH_TIMEOUT
from controller.source.mirror import Mirror
from tests.source.conftest import Repo

pytestmark = pytest.mark.contract


@pytest.fixture
def mirror(repo: Repo, tmp_path: Path) -> Mirror:
    return Mirror(f"file://{repo.path}", state=tmp_path / "mirrors", local=True)


def test_it_follows_the_default_branch(repo: Repo, mirror: Mirror) -> None:
    with pytest.raises(Transient, match="not read yet"):
        mirror.snapshot()
    repo.version("1")
    assert mirror.refresh()
    assert not mirror.refresh()
    snapshot = mirror.snapshot()
    assert str(snapshot.revision) == mirror.token() == f"main@sha1:{repo.head}"
    old = repo.head
    repo.version("2")
    assert set(mirror.snapshot().versions) == {"1"}
    assert mirror.refresh()
    assert set(mirror.snapshot().versions) == {"1", "2"}
    assert mirror.is_ancestor(old, repo.head)
    code = snapshot.versions["1"].code
    assert code
    assert b"".join(mirror.code.read(mirror.code.entries(code)[-1].blob))
    mirror.close()


def test_rewritten_history_is_fetched_and_told(repo: Repo, mirror: Mirror) -> None:
    old = repo.version("1")
    mirror.refresh()
    repo.git("reset", "-q", "--hard", "HEAD~1")
    repo.version("2")
    assert mirror.refresh()
    snapshot = mirror.snapshot()
    assert not mirror.is_ancestor(old, repo.head)
    assert set(snapshot.versions) == {"2"}


def test_no_error_is_a_state(repo: Repo, mirror: Mirror, tmp_path: Path) -> None:
    repo.version("1")
    mirror.refresh()
    known = mirror.token()
    repo.git("rm", "-r", "-q", "pointsman")
    repo.git("commit", "-q", "-m", "gone")
    with pytest.raises(Stalled, match="no files below pointsman/"):
        mirror.refresh()
    assert mirror.token() == known
    repo.git("branch", "-m", "other")
    repo.git("symbolic-ref", "HEAD", "refs/heads/main")
    with pytest.raises(Stalled, match="no branch"):
        mirror.refresh()
    shutil.move(repo.path, tmp_path / "away")
    with pytest.raises(PointsmanError):
        mirror.refresh()
    assert mirror.token() == known
    assert set(mirror.snapshot().versions) == {"1"}


def test_a_killed_process_leaves_nothing_that_disturbs(repo: Repo, tmp_path: Path) -> None:
    first = Mirror(str(repo.path), state=tmp_path / "mirrors", local=True, branch="main")
    first.refresh()
    (git_dir,) = (tmp_path / "mirrors").iterdir()
    half = git_dir.with_name(f"{git_dir.name}.1")
    git_dir.rename(half)
    second = Mirror(str(repo.path), state=tmp_path / "mirrors", local=True, branch="main")
    assert second.refresh()
    assert second.token() == f"main@sha1:{repo.head}"


def test_paths_of_this_machine_must_be_granted(repo: Repo, tmp_path: Path) -> None:
    with pytest.raises(Stalled, match="not allowed"):
        Mirror(f"file://{repo.path}", state=tmp_path)


def test_a_host_that_does_not_answer_is_transient(tmp_path: Path) -> None:
    mirror = Mirror("https://user:secret@127.0.0.1:1/x.git", state=tmp_path / "mirrors")
    with pytest.raises(Transient) as raised:
        mirror.refresh()
    assert "secret" not in str(raised.value)
    assert "secret" not in mirror.name


def test_packs_of_killed_fetches_go_once_no_fetch_can_own_them(repo: Repo, mirror: Mirror, tmp_path: Path) -> None:
    mirror.refresh()
    (git_dir,) = (tmp_path / "mirrors").iterdir()
    old, young = (git_dir / "objects" / "pack" / f"tmp_pack_{name}" for name in ("old", "young"))
    for path in (old, young):
        path.write_bytes(b"half a pack")
    past = time.time() - FETCH_TIMEOUT - 60.0
    os.utime(old, (past, past))
    repo.version("1")
    assert mirror.refresh()
    assert not old.exists()
    assert young.exists(), "another process may be writing it"

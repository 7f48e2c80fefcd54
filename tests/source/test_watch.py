"""A change is told once it is there; reading is no change."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from pathlib import Path

import pytest
from watchdog.observers.inotify import InotifyObserver

from controller.source import watch
from controller.source.local import WorkingDirectory
from controller.source.watch import Watcher
from tests.source.conftest import Repo

pytestmark = pytest.mark.contract

DEADLINE = 60.0


@pytest.fixture
def told() -> queue.Queue[None]:
    return queue.Queue()


@pytest.fixture
def watcher(repo: Repo, told: queue.Queue[None]) -> Iterator[Watcher]:
    with Watcher(repo.path, lambda: told.put(None), ignore=lambda path: path.suffix == ".log") as running:
        yield running


def test_edits_and_commits_are_told(repo: Repo, watcher: Watcher, told: queue.Queue[None]) -> None:
    repo.write("pointsman/versions/1.yaml", "{}")
    told.get(timeout=DEADLINE)
    repo.write("new/deep/file.py", "x")
    told.get(timeout=DEADLINE)
    repo.commit("commit")
    told.get(timeout=DEADLINE)


def test_what_concerns(repo: Repo, watcher: Watcher) -> None:
    concerns = ("serve.py", "pointsman/project.yaml", ".git/HEAD", ".git/refs/heads/main", ".git/index", ".git/packed-refs")
    of_git = (".git/objects/ab", ".git/index.lock", ".git/logs/HEAD", ".git/refs/heads/main.lock")
    noise = (*of_git, ".venv/x.py", "a/__pycache__/b.pyc", "x.log")
    assert [path for path in concerns if not watcher.concerns(repo.path / path)] == []
    assert [path for path in noise if watcher.concerns(repo.path / path)] == []


def test_looking_is_no_change(repo: Repo, tmp_path: Path, watcher: Watcher, told: queue.Queue[None]) -> None:
    """Whatever reads tells nothing, so the next thing that is told is the edit."""
    source = WorkingDirectory(repo.path, state=tmp_path / "state", committed=False)
    source.snapshot()
    with pytest.raises(queue.Empty):
        told.get(timeout=4 * watch.DEBOUNCE)
    repo.write("serve.py", "x")
    told.get(timeout=DEADLINE)
    source.close()


def test_without_notifications_it_polls(repo: Repo, told: queue.Queue[None], monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(self: object) -> None:
        raise OSError(28, "inotify watch limit reached")

    monkeypatch.setattr(InotifyObserver, "start", exhausted)
    monkeypatch.setattr(watch, "POLL", 0.1)
    with Watcher(repo.path, lambda: told.put(None)):
        repo.write("serve.py", "polled")
        told.get(timeout=DEADLINE)


def test_a_linked_worktree_is_watched_where_its_branches_lie(repo: Repo, tmp_path: Path, told: queue.Queue[None]) -> None:
    linked = Repo(tmp_path / "linked")
    repo.git("worktree", "add", "-q", "-b", "side", str(linked.path))
    with Watcher(linked.path, lambda: told.put(None)):
        linked.git("commit", "-q", "--allow-empty", "-m", "only git changes")
        told.get(timeout=DEADLINE)

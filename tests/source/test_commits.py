"""Commits in the person's own name, and the history of an alias."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.model.errors import Stalled
from controller.source.commits import commit_files, create_branch, current_branch, default_branch
from controller.source.git import Git
from controller.source.history import alias_history
from tests.source.conftest import Repo

pytestmark = pytest.mark.contract

ALIAS = "pointsman/deployments/eu/aliases/production.yaml"


@pytest.fixture(autouse=True)
def person(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A home of its own, without an identity."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    for name in (
        "GIT_AUTHOR_NAME",
        "GIT_AUTHOR_EMAIL",
        "GIT_COMMITTER_NAME",
        "GIT_COMMITTER_EMAIL",
        "EMAIL",
        "XDG_CONFIG_HOME",
    ):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def named(repo: Repo) -> Repo:
    repo.git("config", "user.name", "Somebody Else")
    repo.git("config", "user.email", "else@example.com")
    return repo


def test_exactly_these_files_are_committed(named: Repo) -> None:
    named.write("serve.py", "staged")
    named.git("add", "serve.py")
    named.write("requirements.txt", "not staged")
    named.write("pointsman/versions/1.yaml", "{}\n")
    (named.path / "models/m.bin").unlink()
    commit = commit_files(named.path, ["pointsman/versions/1.yaml", named.path / "models/m.bin"], "Add 1\n\n# kept")
    assert named.git("show", "--format=%an <%ae>%n%B", "--name-status", commit).splitlines() == [
        "Somebody Else <else@example.com>", "Add 1", "", "# kept", "", "", "D\tmodels/m.bin", "A\tpointsman/versions/1.yaml",
    ]  # fmt: skip
    assert named.git("diff", "--cached", "--name-only") == "serve.py"
    assert named.git("diff", "--name-only") == "requirements.txt"


def test_an_empty_commit_takes_nothing_that_is_staged(named: Repo) -> None:
    named.write("serve.py", "staged")
    named.git("add", "serve.py")
    commit = commit_files(named.path, [], "Allow\n\nPointsman-Allow-Prune: eu", allow_empty=True)
    assert commit == named.head
    assert named.git("show", "--format=", "--name-only", commit) == ""
    assert named.git("status", "--porcelain") == "M  serve.py"


def test_nothing_to_commit_is_told(named: Repo) -> None:
    with pytest.raises(Stalled, match="nothing changed"):
        commit_files(named.path, ["serve.py"], "x")


def test_without_an_identity_nothing_is_committed(repo: Repo) -> None:
    head = repo.head
    repo.write("serve.py", "x")
    with pytest.raises(Stalled, match="who you are") as raised:
        commit_files(repo.path, ["serve.py"], "x")
    assert "user.email" in str(raised.value.hint)
    assert repo.head == head


def test_a_hook_that_refuses_is_heard(named: Repo) -> None:
    named.write(".git/hooks/pre-commit", "#!/bin/sh\necho no releases today >&2; exit 1\n").chmod(0o755)
    named.write("serve.py", "x")
    with pytest.raises(Stalled, match="no releases today"):
        commit_files(named.path, ["serve.py"], "x")


def test_the_middle_of_a_merge_is_left_alone(named: Repo) -> None:
    named.write(".git/MERGE_HEAD", named.head)
    named.write("serve.py", "x")
    with pytest.raises(Stalled, match="a merge is in progress"):
        commit_files(named.path, ["serve.py"], "x")


def test_branches(named: Repo) -> None:
    assert (current_branch(named.path), default_branch(named.path)) == ("main", "main")
    named.write("serve.py", "comes along")
    create_branch(named.path, "rollback-production")
    assert current_branch(named.path) == "rollback-production"
    assert named.git("status", "--porcelain") == "M serve.py"
    for name in ("rollback-production", "--help", "a..b"):
        with pytest.raises(Stalled):
            create_branch(named.path, name)
    named.git("checkout", "-q", "--detach")
    assert current_branch(named.path) is None


def test_the_history_of_an_alias(repo: Repo) -> None:
    repo.alias("1", "first")
    repo.commit("code", **{"serve.py": "x"})
    repo.git("checkout", "-q", "-b", "side")
    repo.alias("20181002.10", "on a branch")
    repo.git("checkout", "-q", "main")
    repo.git("merge", "-q", "--no-ff", "-m", "merged", "side")
    repo.alias(None, "gone")
    git = Git(repo.path, git_dir=repo.path / ".git")
    changes = alias_history(git, ALIAS)
    assert [(c.subject, c.version) for c in changes] == [("gone", None), ("merged", "20181002.10"), ("first", "1")]
    assert changes[0].commit == repo.head
    assert changes[0].author == "Somebody"
    assert changes[0].at >= changes[-1].at > 0
    assert alias_history(git, "--help") == ()

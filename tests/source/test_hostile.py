"""What a repository may contain to harm its reader: refused with a place, and only its own subject is held."""

from __future__ import annotations

import subprocess

import pytest

from controller.loading.printable import without_logins
from controller.model.diagnostics import PROJECT, Subject
from controller.model.errors import Stalled
from controller.source import refusal
from controller.source.bare import checked_url
from controller.source.declared_files import checked_directory
from controller.source.git import Git
from controller.source.local import WorkingDirectory
from controller.source.refusal import unsafe_name
from tests.source.conftest import Repo

pytestmark = pytest.mark.contract


def test_symbolic_links_are_refused_where_they_lie(repo: Repo, source: WorkingDirectory, working: WorkingDirectory) -> None:
    (repo.path / "pointsman/versions").mkdir()
    (repo.path / "pointsman/versions/1.yaml").symlink_to("/etc/passwd")
    (repo.path / "pointsman/deployments/eu/aliases").mkdir()
    (repo.path / "pointsman/deployments/eu/aliases/production.yaml").symlink_to("../deployment.yaml")
    repo.commit("links")
    for snapshot in (source.snapshot(), working.snapshot()):
        assert {(d.code, d.subject) for d in snapshot.diagnostics} == {
            ("PM501", Subject("version", "1")),
            ("PM501", Subject("alias", "eu/production")),
        }
        assert "1" not in snapshot.versions


def test_a_declared_directory_that_is_a_link_is_no_state(
    repo: Repo, source: WorkingDirectory, working: WorkingDirectory
) -> None:
    (repo.path / "pointsman").rename(repo.path / "real")
    (repo.path / "pointsman").symlink_to("real")
    repo.commit("link")
    with pytest.raises(Stalled, match="no files"):
        source.snapshot()
    with pytest.raises(Stalled, match="symbolic link"):
        working.snapshot()


def test_submodules_and_links_do_not_get_into_images(repo: Repo, source: WorkingDirectory) -> None:
    repo.git("update-index", "--add", "--cacheinfo", f"160000,{repo.head},lib")
    repo.git("commit", "-q", "-m", "submodule")
    repo.write("pointsman/versions/1.yaml", "{}")
    repo.git("add", "pointsman")
    repo.git("commit", "-q", "-m", "version")
    code = source.snapshot().versions["1"].code
    assert code
    with pytest.raises(Stalled, match="`lib` is a submodule"):
        source.code.entries(code)


def test_a_submodule_below_the_declared_directory(repo: Repo, source: WorkingDirectory) -> None:
    repo.git("update-index", "--add", "--cacheinfo", f"160000,{repo.head},pointsman/deployments/eu/aliases")
    repo.git("commit", "-q", "-m", "submodule")
    (mistake,) = source.snapshot().diagnostics
    assert (mistake.code, mistake.subject) == ("PM501", Subject("deployment", "eu"))


@pytest.mark.parametrize("name", ["..", ".", ".git", "-rf", "a\nb", "a\\b", ".GIT"])
def test_crafted_names_are_refused(repo: Repo, source: WorkingDirectory, name: str) -> None:
    blob = repo.git("hash-object", "-w", "--stdin", stdin=b"{}")
    entry = f"100644 {name}".encode() + b"\0" + bytes.fromhex(blob)
    tree = repo.git("hash-object", "-w", "-t", "tree", "--literally", "--stdin", stdin=entry)
    entries = [*repo.git("ls-tree", "HEAD:pointsman").splitlines(), f"040000 tree {tree}\tversions"]
    declared = repo.git("mktree", stdin="\n".join(entries).encode())
    root = [line for line in repo.git("ls-tree", "HEAD").splitlines() if not line.endswith("pointsman")]
    top = repo.git("mktree", stdin="\n".join([*root, f"040000 tree {declared}\tpointsman"]).encode())
    commit = repo.git("commit-tree", top, "-p", "HEAD", "-m", "crafted")
    repo.git("update-ref", "refs/heads/main", commit)
    snapshot = source.snapshot()
    assert [d.code for d in snapshot.diagnostics] == ["PM502"]
    assert all(path.startswith("pointsman/") and not path.endswith(name) for path in snapshot.files)
    assert "\n" not in str(snapshot.diagnostics[0].location)


def test_names_that_are_fine() -> None:
    assert not any(unsafe_name(name) for name in ("20181002.0.yaml", "größe.yaml", "a b.yaml", "..a"))
    assert unsafe_name(b"\xff".decode(errors="surrogateescape"))


def test_a_huge_file_is_not_read(repo: Repo, source: WorkingDirectory, working: WorkingDirectory) -> None:
    repo.version("1", "x" * (refusal.DECLARED_LIMIT + 1))
    repo.version("2")
    for snapshot in (source.snapshot(), working.snapshot()):
        assert [(d.code, d.subject) for d in snapshot.diagnostics] == [("PM503", Subject("version", "1"))]
        assert set(snapshot.versions) == {"2"}


def test_an_option_is_no_directory_url_or_revision(repo: Repo) -> None:
    for directory in ("", ".", "..", "/etc", "--help", "a/../../b", ".git"):
        with pytest.raises(Stalled):
            checked_directory(directory)
    for url in ("--upload-pack=x", "ext::sh -c id", "file:///x", "/x", "http://x/y", "a b", "git://x/y", "x::y"):
        with pytest.raises(Stalled):
            checked_url(url, local=False)
    for url in ("https://git.example.com/x.git", "ssh://git@host/x", "git@host:x/y.git"):
        assert checked_url(url, local=False) == url
    with pytest.raises(Stalled):
        Git(repo.path, git_dir=repo.path / ".git").run("rev-parse", "--verify", "--end-of-options", "--help")


def test_credentials_do_not_reach_messages() -> None:
    assert without_logins("https://me:token@example.com/x") == "https://***@example.com/x"


def test_the_repository_runs_nothing(repo: Repo, source: WorkingDirectory, working: WorkingDirectory) -> None:
    trap = repo.path.parent / "trapped"
    hook = f"#!/bin/sh\ntouch {trap}\n"
    for name in ("post-index-change", "pre-commit", "reference-transaction"):
        file = repo.write(f".git/hooks/{name}", hook)
        file.chmod(0o755)
    repo.git("config", "core.fsmonitor", f"touch {trap};:")
    repo.write("pointsman/versions/1.yaml", "{}")
    trap.unlink(missing_ok=True)
    source.snapshot()
    working.snapshot()
    assert not trap.exists()


def test_an_empty_tree_is_never_a_state(repo: Repo, source: WorkingDirectory, working: WorkingDirectory) -> None:
    source.snapshot()
    repo.git("rm", "-r", "-q", "pointsman")
    repo.git("commit", "-q", "-m", "gone")
    for broken in (source, working):
        with pytest.raises(Stalled, match="no files below pointsman/"):
            broken.snapshot()


def test_a_damaged_repository_is_an_error(repo: Repo, source: WorkingDirectory) -> None:
    repo.version("1")
    blob = repo.git("rev-parse", "HEAD:pointsman/project.yaml")
    (repo.path / ".git/objects" / blob[:2] / blob[2:]).unlink()
    with pytest.raises(Exception, match=blob):
        source.snapshot()


def test_a_mistake_at_the_top_holds_the_project(repo: Repo, source: WorkingDirectory) -> None:
    (repo.path / "pointsman/notes.yaml").symlink_to("project.yaml")
    repo.commit("link")
    assert [d.subject for d in source.snapshot().diagnostics] == [PROJECT]


def test_the_environment_of_an_outer_git_is_not_ours(
    repo: Repo, source: WorkingDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY"):
        monkeypatch.setenv(name, "/nonexistent")
    assert (
        source.snapshot().revision.commit
        == subprocess.check_output(
            ["env", "-u", "GIT_DIR", "-u", "GIT_WORK_TREE", "-u", "GIT_OBJECT_DIRECTORY", "git", "rev-parse", "HEAD"],
            cwd=repo.path,
            text=True,
        ).strip()
    )

"""Versions that git declared lately and declares no more: which they were, and of what they were made."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from controller.model.errors import Stalled
from controller.source.local import WorkingDirectory
from controller.source.mirror import Mirror
from tests.source.conftest import Repo

pytestmark = pytest.mark.contract

FILE = "pointsman/versions/1.yaml"
DAY = 86400.0


def removed(source: WorkingDirectory | Mirror, since: float) -> list[str]:
    return sorted(source.removed(source.snapshot(), since).versions)


def committed_at(monkeypatch: pytest.MonkeyPatch, repo: Repo, ago: float, **files: str | None) -> None:
    """A commit whose committer's clock stood so many seconds before now."""
    environment = sys.modules[type(repo).__module__].COMMITTER
    with monkeypatch.context() as patched:
        patched.setitem(environment, "GIT_COMMITTER_DATE", f"@{int(time.time() - ago)} +0000")
        repo.commit("change", **files)


def test_what_left_git_inside_the_window_is_what_it_was(repo: Repo, source: WorkingDirectory) -> None:
    added = repo.version("1")
    before = source.snapshot().versions["1"]
    repo.commit("change the code", **{"serve.py": "later"})
    repo.commit("remove", **{FILE: None})
    past = source.removed(source.snapshot(), time.time() - DAY)
    assert past.versions == {"1": before}
    assert past.versions["1"].commit == added
    assert past.files == {FILE: b"{}\n"}
    assert "1" not in source.snapshot().versions


def test_only_the_window_counts(repo: Repo, source: WorkingDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    committed_at(monkeypatch, repo, 9 * DAY, **{FILE: "{}\n", "pointsman/versions/2.yaml": "{}\n"})
    committed_at(monkeypatch, repo, 3 * DAY, **{FILE: None})
    committed_at(monkeypatch, repo, 1 * DAY, **{"pointsman/versions/2.yaml": None})
    now = time.time()
    assert removed(source, now - 4 * DAY) == ["1", "2"]
    assert removed(source, now - 2 * DAY) == ["2"]
    assert removed(source, now) == []


def test_what_is_there_again_was_not_removed(repo: Repo, source: WorkingDirectory) -> None:
    repo.version("1")
    repo.commit("remove", **{FILE: None})
    repo.version("1")
    assert removed(source, 0.0) == []


def test_a_file_that_was_deleted_on_the_disk_alone_counts_as_removed(repo: Repo, working: WorkingDirectory) -> None:
    repo.version("1")
    (repo.path / FILE).unlink()
    assert removed(working, time.time() + DAY) == ["1"]


def test_a_text_that_never_was_a_version_is_left_out(repo: Repo, source: WorkingDirectory) -> None:
    repo.version("1", "nonsense: true\n")
    repo.version("2", "[\n")
    repo.commit("remove", **{FILE: None, "pointsman/versions/2.yaml": None})
    assert removed(source, 0.0) == []


def test_a_mistake_of_a_former_version_is_told_beside_it(repo: Repo, source: WorkingDirectory) -> None:
    repo.version("1", f'commit: "{"f" * 40}"\n')
    repo.commit("mend", **{FILE: None})
    past = source.removed(source.snapshot(), 0.0)
    assert [d.subject.name for d in past.diagnostics if d.is_error] == ["1"]


@pytest.mark.parametrize(
    "project",
    ["format: 1\nowner: o\nname: q\n", "format: 1\nowner: o\nname: p\ncode: {path: models}\n"],
    ids=["renamed", "its code moved"],
)
def test_while_the_project_was_another_one_nothing_is_said(
    repo: Repo, source: WorkingDirectory, monkeypatch: pytest.MonkeyPatch, project: str
) -> None:
    committed_at(monkeypatch, repo, 9 * DAY, **{"pointsman/project.yaml": project})
    committed_at(monkeypatch, repo, 3 * DAY, **{"pointsman/project.yaml": "format: 1\nowner: o\nname: p\n"})
    now = time.time()
    with pytest.raises(Stalled, match=r"pointsman/project\.yaml named another project or another place of its code"):
        source.removed(source.snapshot(), now - 4 * DAY)
    assert removed(source, now - 2 * DAY) == []


def test_a_comment_in_project_yaml_changes_nothing(repo: Repo, source: WorkingDirectory) -> None:
    repo.commit("say more", **{"pointsman/project.yaml": "# ours\nformat: 1\nowner: o\nname: p\n"})
    assert removed(source, 0.0) == []


def test_a_mirror_says_the_same(repo: Repo, tmp_path: Path) -> None:
    repo.version("1")
    repo.commit("remove", **{FILE: None})
    mirror = Mirror(f"file://{os.fspath(repo.path)}", state=tmp_path / "mirrors", local=True)
    try:
        mirror.refresh()
        assert removed(mirror, time.time() - DAY) == ["1"]
        repo.commit("more", **{"serve.py": "more"})
        mirror.refresh()
        assert removed(mirror, time.time() - DAY) == ["1"]
    finally:
        mirror.close()

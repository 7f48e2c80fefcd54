"""Which text, commit and code a version has: git alone decides."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.model.diagnostics import Subject
from controller.source.git import Git
from controller.source.local import WorkingDirectory
from controller.source.objects import ObjectReader
from controller.source.origin import Origin
from tests.source.conftest import Repo

pytestmark = pytest.mark.contract


def test_a_version_without_commit_is_the_oldest_commit_with_its_file(repo: Repo, source: WorkingDirectory) -> None:
    added = repo.version("1")
    repo.commit("change the code", **{"serve.py": "later"})
    version = source.snapshot().versions["1"]
    assert (version.commit, version.text, version.committed, version.provisional) == (added, b"{}\n", True, False)
    assert version.valohai
    assert version.requirements == b"flask\n"
    assert version.golden == {"golden/greet/hello.yaml": b"expect: {status: 200}\n"}
    assert version.code
    assert [path for path, _, _ in version.code.entries] == ["golden", "models", "requirements.txt", "serve.py", "valohai.yaml"]
    assert version.code_files["serve.py"] == repo.git("rev-parse", f"{added}:serve.py")


@pytest.mark.parametrize(
    ("files", "requirements", "locked"),
    [
        ({}, b"flask\n", False),
        ({"uv.lock": "version = 1\n"}, b"flask\n", False),
        ({"uv.lock": "version = 1\n", "requirements.txt": None}, None, True),
        ({"uv.lock": "version = 1\n", "requirements.txt": None, "requirements-deployment.txt": ""}, b"", False),
        ({"lib/uv.lock": "version = 1\n", "requirements.txt": None}, None, False),
    ],
)
def test_a_lock_counts_where_there_are_no_requirements(
    repo: Repo, source: WorkingDirectory, files: dict[str, str | None], requirements: bytes | None, locked: bool
) -> None:
    repo.commit("dependencies", **files)
    repo.version("1")
    version = source.snapshot().versions["1"]
    assert (version.requirements, version.locked) == (requirements, locked)


def test_code_and_version_in_one_merged_branch_are_one_commit(repo: Repo, source: WorkingDirectory) -> None:
    repo.git("checkout", "-q", "-b", "release")
    repo.commit("new code", **{"serve.py": "new"})
    repo.version("1")
    repo.git("checkout", "-q", "main")
    repo.commit("meanwhile", **{"other.py": "x"})
    repo.git("merge", "-q", "--no-ff", "release")
    assert source.snapshot().versions["1"].commit == repo.head


def test_a_squashed_branch_gives_the_squash(repo: Repo, source: WorkingDirectory) -> None:
    repo.git("checkout", "-q", "-b", "release")
    repo.version("1")
    repo.git("checkout", "-q", "main")
    repo.git("merge", "-q", "--squash", "release")
    squashed = repo.commit("squash")
    assert source.snapshot().versions["1"].commit == squashed


def test_a_commit_lost_by_a_rebase_is_a_mistake_of_the_version(repo: Repo, source: WorkingDirectory) -> None:
    repo.git("checkout", "-q", "-b", "release")
    lost = repo.commit("code", **{"serve.py": "new"})
    repo.git("checkout", "-q", "main")
    repo.version("1", f'commit: "{lost}"\n')
    repo.version("2")
    snapshot = source.snapshot()
    (mistake,) = snapshot.diagnostics
    assert (mistake.code, mistake.subject, mistake.location.line) == ("PM504", Subject("version", "1"), 1)
    assert snapshot.versions["1"].commit == ""
    assert snapshot.versions["2"].commit


def test_a_named_commit_becomes_reachable_by_a_merge(repo: Repo, source: WorkingDirectory) -> None:
    repo.git("checkout", "-q", "-b", "release")
    named = repo.commit("code", **{"serve.py": "new"})
    repo.git("checkout", "-q", "main")
    repo.version("1", f'commit: "{named}"\n')
    assert source.snapshot().diagnostics
    repo.git("merge", "-q", "--no-ff", "release")
    snapshot = source.snapshot()
    assert not snapshot.diagnostics
    assert snapshot.versions["1"].commit == named


@pytest.mark.parametrize("commit", ["main", "--help", "4f1c0e", "f" * 40])
def test_what_is_no_commit_is_a_mistake(repo: Repo, source: WorkingDirectory, commit: str) -> None:
    repo.version("1", f'commit: "{commit}"\n')
    (mistake,) = source.snapshot().diagnostics
    assert mistake.code == "PM504"


def test_a_name_that_is_deleted_and_added_again_is_the_same_version(repo: Repo, source: WorkingDirectory) -> None:
    added = repo.version("1", "enabled: true\n")
    path = "pointsman/versions/1.yaml"
    repo.commit("remove", **{path: None})
    assert "1" not in source.snapshot().versions
    repo.version("1", "environment: {A: b}\n")
    version = source.snapshot().versions["1"]
    assert (version.commit, version.text) == (added, b"enabled: true\n")
    assert source.snapshot().files[path] == b"environment: {A: b}\n"


def test_the_first_text_that_is_a_version_stays(repo: Repo, source: WorkingDirectory) -> None:
    added = repo.version("1", "- not a map\n")
    assert source.snapshot().versions["1"].text == b"- not a map\n"
    repo.version("1", "environment: {A: first}\n")
    repo.version("1", "environment: {A: edited}\n")
    version = source.snapshot().versions["1"]
    assert (version.commit, version.text) == (added, b"environment: {A: first}\n")


def test_a_shallow_clone_holds_the_project(repo: Repo, tmp_path: Path) -> None:
    repo.version("1")
    repo.commit("later")
    clone = tmp_path / "clone"
    repo.git("clone", "-q", "--depth=2", f"file://{repo.path}", str(clone))
    source = WorkingDirectory(clone, state=tmp_path / "state", committed=True)
    snapshot = source.snapshot()
    assert [d.code for d in snapshot.diagnostics] == ["PM508"]
    assert "unshallow" in str(snapshot.diagnostics[0].hint)
    assert [(v.committed, v.commit) for v in snapshot.versions.values()] == [(True, "")]


def test_editing_declared_files_never_changes_the_code(repo: Repo, source: WorkingDirectory) -> None:
    first = repo.version("1")
    repo.version("2", f'commit: "{first}"\n')
    repo.version("3")
    versions = source.snapshot().versions
    assert versions["1"].code is versions["3"].code
    assert versions["1"].code == versions["2"].code


def test_a_nested_declared_directory_is_not_part_of_the_code(repo: Repo, tmp_path: Path) -> None:
    repo.git("mv", "pointsman", "moved")
    (repo.path / "deploy").mkdir()
    repo.git("mv", "moved", "deploy/pointsman")
    repo.commit(
        "move", **{"deploy/pointsman/versions/1.yaml": "files: {greet: {m: {path: deploy/other.txt}}}", "deploy/other.txt": "x"}
    )
    source = WorkingDirectory(repo.path, directory="deploy/pointsman", state=tmp_path / "state", committed=True)
    version = source.snapshot().versions["1"]
    assert version.code
    assert "deploy/other.txt" in [path for path, _, _ in version.code.entries]
    assert "deploy/other.txt" in version.code_files
    assert not any("pointsman" in path for path, _, _ in version.code.entries)


def test_code_below_a_path(repo: Repo, source: WorkingDirectory) -> None:
    repo.commit(
        "move the code",
        **{"app/valohai.yaml": "app", "pointsman/project.yaml": "format: 1\nowner: o\nname: p\ncode: {path: app}\n"},
    )
    repo.version("1")
    version = source.snapshot().versions["1"]
    assert version.valohai == b"app"
    assert version.code
    assert version.code.path == "app"
    repo.commit("elsewhere", **{"pointsman/project.yaml": "code: {path: nowhere}\n"})
    assert [d.code for d in source.snapshot().diagnostics] == ["PM505"]


def test_code_elsewhere_must_be_granted(repo: Repo, source: WorkingDirectory) -> None:
    repo.commit("elsewhere", **{"pointsman/project.yaml": "code: {repository: https://git.example.com/x.git}\n"})
    repo.version("1")
    snapshot = source.snapshot()
    assert [d.code for d in snapshot.diagnostics] == ["PM507"]
    assert snapshot.diagnostics[0].location.line == 1


def test_code_elsewhere_comes_from_the_granted_repository(repo: Repo, tmp_path: Path) -> None:
    code = Repo(tmp_path / "code")
    code.path.mkdir()
    code.git("init", "-q", "-b", "main")
    named = code.commit("code", **{"app/valohai.yaml": "there", "app/pointsman/kept.txt": "x"})
    code.git("checkout", "-q", "-b", "side")
    lost = code.commit("side")

    class Granted:
        def origin(self, url: str) -> tuple[Origin, str]:
            return Origin(ObjectReader(Git(code.path, git_dir=code.path / ".git")), url), named

    source = WorkingDirectory(repo.path, state=tmp_path / "state", committed=True, repositories=Granted())
    repo.commit("there", **{"pointsman/project.yaml": "code: {repository: https://git.example.com/x.git, path: app}\n"})
    repo.version("1", f"commit: '{named}'\n")
    repo.version("2")
    repo.version("3", f"commit: '{lost}'\n")
    snapshot = source.snapshot()
    one = snapshot.versions["1"]
    assert (one.commit, one.valohai) == (named, b"there")
    assert one.code
    assert [path for path, _, _ in one.code.entries] == ["pointsman", "valohai.yaml"]
    assert snapshot.versions["2"].commit == ""
    assert [(d.code, d.subject.name) for d in snapshot.diagnostics] == [("PM504", "3")]


def test_several_projects_in_one_repository(repo: Repo, tmp_path: Path) -> None:
    repo.commit("second", **{"second/pointsman/project.yaml": "format: 1\n", "second/src/a.py": "", "src/b.py": ""})
    places = {"second/src": "second/pointsman", "second": "second/pointsman", "src": "pointsman", ".": "pointsman"}
    for place, directory in places.items():
        source = WorkingDirectory(repo.path / place, state=tmp_path / "state", committed=True)
        assert source.snapshot().path == directory


def test_a_declared_file_that_is_an_lfs_pointer_is_told(repo: Repo, source: WorkingDirectory) -> None:
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
    repo.commit("pointer", **{"models/m.bin": pointer})
    repo.version("1", "files: {greet: {model: {path: models/m.bin}}}\n")
    snapshot = source.snapshot()
    assert [d.code for d in snapshot.diagnostics] == ["PM506"]
    assert "models/m.bin" in snapshot.versions["1"].code_files

"""Working directories: what lies on the disk, what is only watched, and what must never be written."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from controller.loading.loader import load
from controller.model.declared import FileContent
from controller.model.errors import Stalled, Transient
from controller.source.adhoc import AdHoc, GivenFiles
from controller.source.git import Git
from controller.source.local import WorkingDirectory
from tests.source.conftest import Repo

pytestmark = pytest.mark.contract


def contents(root: Path) -> dict[str, tuple[int, int]]:
    return {str(p): (p.lstat().st_mtime_ns, p.lstat().st_size) for p in root.rglob("*")}


def children() -> set[str]:
    """Processes whose parent is this one, living or not collected."""
    stats = [directory / "stat" for directory in Path("/proc").iterdir() if directory.name.isdigit()]
    return {s.parent.name for s in stats if s.exists() and s.read_text().rpartition(")")[2].split()[1] == str(os.getpid())}


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_uncommitted_files_count(repo: Repo, working: WorkingDirectory) -> None:
    committed = repo.version("1")
    repo.write("pointsman/versions/1.yaml", "enabled: false\n")
    repo.write("pointsman/versions/2.yaml", "{}\n")
    repo.write("serve.py", "edited")
    repo.write("pointsman/.2.yaml.swp", "x")
    snapshot = working.snapshot()
    assert snapshot.local
    assert snapshot.revision.commit == committed
    assert snapshot.files["pointsman/versions/1.yaml"] == b"enabled: false\n"
    one, two = snapshot.versions["1"], snapshot.versions["2"]
    assert (one.text, one.committed, one.provisional, one.commit) == (b"{}\n", True, True, committed)
    assert (two.committed, two.provisional) == (False, True)
    assert snapshot.changed["pointsman/versions/1.yaml"] == -1
    assert two.code
    files = {e.path: e for e in working.code.entries(two.code)}
    assert b"".join(working.code.read(files["serve.py"].blob)) == b"edited"
    assert not any(path.startswith("pointsman") for path in files)
    assert one.code
    assert (
        b"".join(working.code.read({e.path: e for e in working.code.entries(one.code)}["serve.py"].blob)) == b"print('hello')\n"
    )


def without_declared_tree(repo: Repo) -> None:
    (repo.path / "pointsman/project.yaml").unlink()


def test_nothing_is_written_to_the_repository(repo: Repo, working: WorkingDirectory, source: WorkingDirectory) -> None:
    repo.write("pointsman/versions/2.yaml", "{}\n")
    repo.write("big.bin", "x" * 100_000)
    before = contents(repo.path)
    working.token()
    working.snapshot()
    source.snapshot()
    working.token()
    assert contents(repo.path) == before
    without_declared_tree(repo)
    before = contents(repo.path)
    adhoc = AdHoc(repo.path, state=repo.path.parent / "state2")
    adhoc.snapshot()
    adhoc.close()
    assert contents(repo.path) == before


def test_the_token_follows_every_edit(repo: Repo, working: WorkingDirectory, source: WorkingDirectory) -> None:
    repo.write("pointsman/versions/2.yaml", "{}\n")
    working.snapshot()
    edits: list[Callable[[], object]] = [
        lambda: repo.write("pointsman/versions/2.yaml", "enabled: true\n"),
        lambda: repo.write("serve.py", "edited"),
        lambda: repo.write("new/deep/file.py", "new"),
        (repo.path / "models/m.bin").unlink,
        (repo.path / "pointsman/versions/2.yaml").unlink,
        lambda: repo.commit("commit"),
    ]
    for edit in edits:
        before = working.token()
        assert working.token() == before
        edit()
        assert working.token() != before
        if (repo.path / "pointsman/versions/2.yaml").exists():
            working.snapshot()
    before = source.token()
    repo.commit("another")
    assert source.token() != before


def test_a_look_without_change_starts_no_process(
    repo: Repo, working: WorkingDirectory, source: WorkingDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo.write("pointsman/versions/2.yaml", "{}\n")
    working.snapshot()
    source.snapshot()
    tokens = (working.token(), source.token())

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("git was started")

    monkeypatch.setattr(Git, "start", refuse)
    assert (working.token(), source.token()) == tokens
    assert source.snapshot() is source.snapshot()
    assert source.is_ancestor(repo_head := source.snapshot().revision.commit, repo_head)


def test_packed_references_and_linked_worktrees(repo: Repo, source: WorkingDirectory, tmp_path: Path) -> None:
    repo.version("1")
    loose = source.token()
    repo.git("pack-refs", "--all")
    assert source.token() == loose
    linked = tmp_path / "linked"
    repo.git("worktree", "add", "-q", "-b", "side", str(linked))
    other = WorkingDirectory(linked, state=tmp_path / "state2", committed=True)
    assert other.token() == f"side@sha1:{repo.head}"
    assert set(other.snapshot().versions) == {"1"}
    repo.git("checkout", "-q", "--detach")
    assert source.token() == f"HEAD@sha1:{repo.head}"


def test_a_branch_without_commits(tmp_path: Path) -> None:
    repo = Repo(tmp_path / "empty")
    repo.path.mkdir()
    repo.git("init", "-q", "-b", "main")
    with pytest.raises(Stalled, match="no commit yet"):
        WorkingDirectory(repo.path, state=tmp_path / "state", committed=True).snapshot()
    repo.write("pointsman/project.yaml", "format: 1\n")
    repo.write("pointsman/versions/1.yaml", "{}")
    repo.write("valohai.yaml", "x")
    working = WorkingDirectory(repo.path, state=tmp_path / "state", committed=False)
    snapshot = working.snapshot()
    assert snapshot.versions["1"].valohai == b"x"
    working.close()


def test_a_declared_directory_outside_of_git(tmp_path: Path) -> None:
    root = Repo(tmp_path / "plain")
    root.write("pointsman/project.yaml", "format: 1\n")
    root.write("pointsman/versions/1.yaml", "{}")
    root.write("valohai.yaml", "x")
    with pytest.raises(Stalled, match="not in a git repository"):
        WorkingDirectory(root.path, state=tmp_path / "state", committed=True)
    working = WorkingDirectory(root.path, state=tmp_path / "state", committed=False)
    assert working.snapshot().versions["1"].valohai == b"x"
    assert working.token() == working.token()
    working.close()


@pytest.mark.parametrize("in_git", [True, False])
def test_a_directory_without_declaration(repo: Repo, tmp_path: Path, in_git: bool) -> None:
    root = repo.path
    repo.git("rm", "-r", "-q", "--cached", "pointsman")
    (root / "pointsman/deployments/eu/deployment.yaml").unlink()
    for file in sorted((root / "pointsman").rglob("*"), reverse=True):
        file.rmdir() if file.is_dir() else file.unlink()
    (root / "pointsman").rmdir()
    repo.write(".gitignore", "secret\n")
    repo.write("secret", "x")
    repo.write(".venv/lib.py", "x")
    if not in_git:
        (root / ".git").rename(tmp_path / "elsewhere")
    weights = tmp_path / "weights"
    weights.write_bytes(b"abc")
    given = {("greet", "model"): weights, ("greet", "labels"): FileContent(url="https://example.com/l", sha256="0" * 64)}
    with_close = AdHoc(root, state=tmp_path / "state", files=given)
    snapshot = with_close.snapshot()
    version = snapshot.versions["work"]
    assert (version.committed, version.provisional, version.commit) == (False, True, snapshot.revision.commit)
    assert b"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" in version.text
    assert weights.as_uri().encode() in version.text
    assert version.valohai
    assert version.code
    paths = [e.path for e in with_close.code.entries(version.code)]
    assert paths == [".gitignore", "golden/greet/hello.yaml", "models/m.bin", "requirements.txt", "serve.py", "valohai.yaml"]
    assert b'"latest' not in snapshot.files["pointsman/deployments/local/aliases/latest.yaml"]
    token = with_close.token()
    repo.write("serve.py", "edited")
    assert with_close.token() != token
    assert with_close.snapshot().versions["work"].code != version.code
    weights.write_bytes(b"abcd")
    assert with_close.snapshot().versions["work"].text != version.text
    weights.unlink()
    with pytest.raises(Stalled, match="weights"):
        with_close.snapshot()
    with_close.close()


def test_a_killed_writer_leaves_nothing_that_disturbs(repo: Repo, tmp_path: Path) -> None:
    without_declared_tree(repo)
    first = AdHoc(repo.path, state=tmp_path / "state")
    tree = first.snapshot().revision.commit
    git_dir = tmp_path / "state/worktree.git"
    gone = subprocess.Popen(["true"])
    gone.wait()
    (git_dir / f"index.{gone.pid}.lock").write_text("")
    (git_dir / f"index.{gone.pid}").write_text("half")
    second = AdHoc(repo.path, state=tmp_path / "state")
    assert second.snapshot().revision.commit == tree
    assert not list(git_dir.glob("index.*"))


def test_no_process_and_no_descriptor_is_left(repo: Repo, tmp_path: Path) -> None:
    repo.version("1")
    repo.write("pointsman/versions/2.yaml", "{}\n")

    def use() -> None:
        for committed in (True, False):
            source = WorkingDirectory(repo.path, state=tmp_path / "state", committed=committed)
            snapshot = source.snapshot()
            for version in snapshot.versions.values():
                assert version.code
                for entry in source.code.entries(version.code):
                    next(source.code.read(entry.blob))
            source.close()

    use()
    before = (children(), descriptors())
    for _ in range(3):
        use()
    assert (children(), descriptors()) == before


def test_a_declared_tree_ends_what_is_served_without_one(tmp_path: Path) -> None:
    directory = undeclared(tmp_path, WITH_MODEL)
    (directory / "model.bin").write_bytes(b"weights")
    with closing(AdHoc(directory, state=tmp_path / "state")) as adhoc:
        before = adhoc.token()
        (directory / "pointsman").mkdir()
        (directory / "pointsman/project.yaml").write_text("format: 1\n")
        assert adhoc.token() != before
        with pytest.raises(Stalled, match="has a declared tree now"):
            adhoc.snapshot()


def test_an_empty_directory(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with closing(AdHoc(tmp_path / "empty", state=tmp_path / "state")) as adhoc:
        with pytest.raises(Stalled, match=r"empty has no valohai\.yaml") as caught:
            adhoc.snapshot()
        assert "pointsman up DIRECTORY" in (caught.value.hint or "")
        assert adhoc.token() == adhoc.token()


def test_a_directory_of_projects_names_the_first(tmp_path: Path) -> None:
    for name in ("02_other", "01_graph"):
        (tmp_path / "samples" / name).mkdir(parents=True)
        (tmp_path / "samples" / name / "valohai.yaml").write_text(WITH_MODEL)
    with closing(AdHoc(tmp_path / "samples", state=tmp_path / "state")) as adhoc, pytest.raises(Stalled) as caught:
        adhoc.snapshot()
    assert caught.value.hint == "pointsman up 01_graph"


def test_training_steps_alone_serve_nothing(tmp_path: Path) -> None:
    directory = undeclared(tmp_path, "- step: {name: train, image: python, command: python train.py}\n")
    with closing(AdHoc(directory, state=tmp_path / "state")) as adhoc, pytest.raises(Stalled, match="declares no endpoint"):
        adhoc.snapshot()


def test_state_inside_the_directory_is_no_part_of_it(repo: Repo) -> None:
    without_declared_tree(repo)
    adhoc = AdHoc(repo.path, state=repo.path / "state")
    first = adhoc.snapshot().revision
    assert adhoc.snapshot().revision == first


def test_a_look_ends_the_readers_that_nobody_uses(repo: Repo, source: WorkingDirectory) -> None:
    repo.version("1")
    code = source.snapshot().versions["1"].code
    assert code
    before = children()
    next(source.code.read(source.code.entries(code)[0].blob))
    assert children() != before
    source.token()
    source.token()
    assert children() == before
    assert source.code.entries(code)


def test_a_full_state_directory_is_an_error_of_its_own(repo: Repo, tmp_path: Path) -> None:
    without_declared_tree(repo)
    (tmp_path / "state").write_text("not a directory")
    adhoc = AdHoc(repo.path, state=tmp_path / "state")
    with pytest.raises(Transient, match="cannot be written"):
        adhoc.snapshot()


def test_a_large_file_is_read_in_blocks_and_may_be_left(repo: Repo, source: WorkingDirectory) -> None:
    repo.commit("large", **{"large.bin": "x" * (3 << 20)})
    repo.version("1")
    code = source.snapshot().versions["1"].code
    assert code
    entry = next(e for e in source.code.entries(code) if e.path == "large.bin")
    assert entry.size == 3 << 20
    blocks = source.code.read(entry.blob)
    assert len(next(blocks)) <= 1 << 20
    blocks.close()  # type: ignore[attr-defined]
    assert sum(len(block) for block in source.code.read(entry.blob)) == 3 << 20


WITH_MODEL = """
- endpoint: {name: greet, image: "python:3.11", server-command: python serve.py}
- endpoint:
    name: predict
    image: tensorflow/tensorflow:2.6.0
    wsgi: predict:predict
    files: [{name: model, path: model.h5}]
"""


def undeclared(tmp_path: Path, valohai: str) -> Path:
    directory = tmp_path / "undeclared"
    directory.mkdir()
    (directory / "valohai.yaml").write_text(valohai)
    (directory / ".gitignore").write_text("*.h5\n")
    return directory


def test_the_project_of_a_directory_keeps_the_letters_of_its_name(tmp_path: Path) -> None:
    directory = undeclared(tmp_path, WITH_MODEL).rename(tmp_path / "Häuser und Bäume")
    with closing(AdHoc(directory, state=tmp_path / "state")) as adhoc:
        assert load(adhoc.snapshot(), uncommitted=True).project == "hauser-und-baume"


BAD_NAME = WITH_MODEL.replace("name: predict\n", "name: Bad_Name\n")


def test_an_endpoint_that_is_declared_wrongly_is_left_out_and_the_others_are_served(tmp_path: Path) -> None:
    with closing(AdHoc(undeclared(tmp_path, BAD_NAME), state=tmp_path / "state")) as adhoc:
        declared = load(adhoc.snapshot(), uncommitted=True)
    assert list(declared.versions["work"].endpoints) == ["greet"]
    assert declared.deployments["local"].aliases["latest"].version == "work"
    assert not declared.held
    assert [(str(d.location), d.is_error) for d in declared.diagnostics] == [("valohai.yaml:4:11", False)]
    assert "; the endpoint is left out" in declared.diagnostics[0].message


@pytest.mark.parametrize(
    ("valohai", "files"),
    [
        (BAD_NAME.replace("name: greet", "name: Greet_Me"), {}),
        (WITH_MODEL.replace("name: greet", "name: greet, name: other"), {}),
        ("- endpoint: [", {}),
        (WITH_MODEL, {("greet", "unknown"): FileContent(url="https://example.com/l", sha256="0" * 64)}),
    ],
    ids=["all endpoints wrong", "a key twice", "not YAML", "a file of nobody"],
)
def test_no_mistake_names_a_file_that_nobody_wrote(tmp_path: Path, valohai: str, files: GivenFiles) -> None:
    directory = undeclared(tmp_path, valohai)
    (directory / "model.h5").write_bytes(b"weights")
    with closing(AdHoc(directory, state=tmp_path / "state", files=files)) as adhoc:
        declared = load(adhoc.snapshot(), uncommitted=True)
    assert {str(subject) for subject in declared.held} == {"version work", "alias local/latest"}
    named = {d.location.file for d in declared.diagnostics} | {d.location.file for h in declared.held.values() for d in h}
    assert named == {"valohai.yaml"}
    assert "PM304" not in {d.code for d in declared.diagnostics}


def test_an_endpoint_whose_file_has_no_bytes_is_left_out_and_the_others_are_served(tmp_path: Path) -> None:
    with closing(AdHoc(undeclared(tmp_path, WITH_MODEL), state=tmp_path / "state")) as adhoc:
        declared = load(adhoc.snapshot(), uncommitted=True)
    assert list(declared.versions["work"].endpoints) == ["greet"]
    assert [str(d) for d in declared.diagnostics] == [
        "valohai.yaml:4:11: warning: predict: file `model` has no bytes, and there is no model.h5 here; "
        "the endpoint is left out [PM316]\n"
        "  hint: pointsman up --file predict/model=PATH|URL"
    ]


def test_a_file_that_lies_where_the_endpoint_looks_for_it_needs_no_word(tmp_path: Path) -> None:
    directory = undeclared(tmp_path, WITH_MODEL)
    with closing(AdHoc(directory, state=tmp_path / "state")) as adhoc:
        adhoc.snapshot()
        token = adhoc.token()
        (directory / "model.h5").write_bytes(b"abc")
        assert adhoc.token() != token
        declared = load(adhoc.snapshot(), uncommitted=True)
    content = declared.versions["work"].endpoints["predict"].files["model"]
    assert content.url == (directory / "model.h5").as_uri()
    assert declared.diagnostics == ()


def test_where_no_endpoint_is_left_nothing_is_served(tmp_path: Path) -> None:
    only = WITH_MODEL.partition("\n- endpoint:\n")[2]
    directory = undeclared(tmp_path, f"- endpoint:\n{only}")
    with closing(AdHoc(directory, state=tmp_path / "state")) as adhoc, pytest.raises(Stalled, match="no bytes") as caught:
        adhoc.snapshot()
    assert caught.value.hint == "pointsman up --file predict/model=PATH|URL"

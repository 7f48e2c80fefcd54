"""A repository that means harm: it gets diagnostics, quickly and without tricks on the reader's terminal."""

from __future__ import annotations

import pytest
from declared_trees import files_of, snapshot

from controller.loading.documents import parse
from controller.loading.loader import load
from controller.loading.schema import validate
from controller.loading.schema_problems import MAX_PROBLEMS
from controller.loading.valohai import MAX_ENDPOINTS, read_valohai

pytestmark = pytest.mark.pure

ALIAS = "pointsman/deployments/americas/aliases/production.yaml"


def test_control_characters_are_never_printed() -> None:
    files = {**files_of("valid-base"), ALIAS: b'"\\e[2J\\u202e": 1\n', "pointsman/\x1b[2J.txt": b""}
    state = load(snapshot(files))
    assert state.diagnostics
    assert all(line.isprintable() for d in state.diagnostics for line in str(d).splitlines())
    assert any("\\x1b[2J\\u202e" in d.message for d in state.diagnostics)


def test_credentials_in_an_address_are_not_printed() -> None:
    (problem,) = validate("version", b"files: {ep: {m: {url: 'ftp://me:secret@host/x', sha256: '%s'}}}" % (b"0" * 64)).problems
    assert "secret" not in problem.message
    assert "//***@host" in problem.message


def test_the_number_of_problems_is_limited() -> None:
    unknown = b"".join(b"k%d: 1\n" % n for n in range(50_000))
    assert len(validate("deployment", unknown).problems) == MAX_PROBLEMS
    duplicates = b"a: 1\n" * 50_000
    assert len(parse(duplicates).problems) == MAX_PROBLEMS


def test_the_number_of_endpoints_and_their_files_is_limited() -> None:
    endpoint = "- endpoint: {name: ep%d, image: a, server-command: b}\n"
    endpoints, diagnostics = read_valohai("".join(endpoint % n for n in range(5000)).encode(), "valohai.yaml")
    assert len(endpoints) == MAX_ENDPOINTS
    assert [d.code for d in diagnostics] == ["PM405"]
    files = ", ".join(f"{{name: f{n}, path: p{n}}}" for n in range(5000))
    text = f"- endpoint: {{name: ep, image: a, server-command: b, files: [{files}]}}\n"
    assert [d.code for d in read_valohai(text.encode(), "valohai.yaml")[1]] == ["PM204"]


@pytest.mark.parametrize("opening", [b"[", b"{a: ", b"- ", b"? "])
def test_depth_is_limited(opening: bytes) -> None:
    document = parse(opening * 100_000)
    assert document.root is None
    assert document.problems[0].code in ("PM107", "PM101")


def test_merges_and_aliases_cannot_explode() -> None:
    maps = ["a: &m0 {" + ", ".join(f"k{n}: 1" for n in range(200)) + "}"]
    maps += [f"b{n}: &m{n} [{', '.join([f'*m{n - 1}'] * 9)}]" for n in range(1, 7)]
    assert [p.code for p in parse("\n".join(maps).encode()).problems] == ["PM106"]


def test_another_directory_may_be_declared() -> None:
    given = snapshot(files_of("valid-base"))
    files = {path.replace("pointsman/", "services/mnist/", 1): data for path, data in given.files.items()}
    moved = type(given)(given.source, given.revision, "services/mnist", files, given.versions)
    assert load(moved).diagnostics == ()
    assert set(load(moved).deployments) == {"americas"}


def test_an_empty_tree_is_a_mistake_of_the_project() -> None:
    state = load(snapshot({}))
    assert [str(subject) for subject in state.held] == ["project"]
    assert not state.deployments

"""The first declared files of a repository."""

from __future__ import annotations

import pytest

from controller.cli.beginnings import declared_name, owner_and_name, with_lines
from tests.cli.release.conftest import VALOHAI, Project

pytestmark = pytest.mark.contract


@pytest.fixture
def code(empty: Project) -> Project:
    empty.write("valohai.yaml", VALOHAI)
    empty.write("serve.py", "print('hello')\n")
    empty.write("model.bin", "1")
    empty.commit("Code")
    return empty


def test_a_repository_whose_files_are_all_in_git_gets_version_and_alias(code: Project) -> None:
    code.git("remote", "add", "origin", "git@github.com:Acme_Co/Mnist.git")
    done = code.run("init")
    assert done.code == 0, done.err
    assert code.head == code.git("rev-parse", "main")
    project = code.read("pointsman/project.yaml")
    assert project == 'format: 1\nowner: "acme_co"\nname: "mnist"\n'
    owners = code.read("CODEOWNERS")
    assert "/pointsman/deployments/main/aliases/production.yaml @Acme_Co\n" in owners
    assert "pointsman/deployments/main/aliases/production.yaml" in done.out
    code.commit("Declare")
    checked = code.run("validate")
    assert (checked.code, checked.out) == (0, "")


def test_with_commit_it_is_one_commit(code: Project) -> None:
    done = code.run("init", "--owner", "acme", "--deployment", "eu", "--commit")
    assert done.code == 0, done.err
    assert code.status == ""
    assert code.git("rev-list", "--count", "HEAD") == "2"
    assert code.run("validate").code == 0


def test_a_file_without_bytes_leaves_version_and_alias_for_later(code: Project) -> None:
    code.git("rm", "--quiet", "model.bin")
    code.commit("Forget the model")
    done = code.run("init", "--owner", "acme")
    assert done.code == 0
    assert "pointsman version create --file predict/model=PATH|URL" in done.err
    assert not (code.path / "pointsman/versions").exists()


def test_nothing_is_overwritten(code: Project) -> None:
    code.write("docs/CODEOWNERS", "* @everybody")
    code.commit("Owners")
    assert code.run("init", "--owner", "acme").code == 0
    assert code.read("docs/CODEOWNERS").startswith("* @everybody\n/pointsman/project.yaml @acme\n")
    again = code.run("init", "--owner", "other")
    assert again.code == 1
    assert "nothing is overwritten" in again.err
    assert 'owner: "acme"' in code.read("pointsman/project.yaml")


def test_a_commit_that_is_refused_leaves_nothing_that_looks_declared(code: Project) -> None:
    code.write(".git/hooks/pre-commit", "#!/bin/sh\nexit 1\n")
    (code.path / ".git/hooks/pre-commit").chmod(0o755)
    assert code.run("init", "--owner", "acme", "--commit").code == 1
    assert not (code.path / "pointsman").exists()
    assert code.run("init", "--owner", "acme").code == 0


@pytest.mark.parametrize(
    ("path", "text", "said"),
    [
        ("valohai.yaml", None, "no valohai.yaml"),
        ("valohai.yaml", "- step: {}\n", "declares no endpoint"),
        ("valohai.yaml", "- endpoint:\n    name: greet\n", "PM"),
    ],
)
def test_without_an_endpoint_there_is_nothing_to_declare(code: Project, path: str, text: str | None, said: str) -> None:
    if text is None:
        (code.path / path).unlink()
    else:
        code.write(path, text)
    done = code.run("init", "--owner", "acme")
    assert done.code == 1
    assert said in done.err
    assert not (code.path / "pointsman").exists()


def test_without_an_owner_the_project_is_local_and_nobody_is_asked_to_review(code: Project) -> None:
    done = code.run("init")
    assert done.code == 0
    assert "--owner NAME" in done.err
    assert code.read("pointsman/project.yaml") == 'format: 1\nowner: "local"\nname: "mnist"\n'
    assert not (code.path / "CODEOWNERS").exists()
    code.commit("Declare")
    assert code.run("validate").code == 0


def test_nothing_is_declared_on_a_detached_head(code: Project) -> None:
    code.git("checkout", "--quiet", "--detach")
    done = code.run("init", "--commit")
    assert done.code == 1
    assert "hint: git switch main, or git switch --create NAME" in done.err
    assert not (code.path / "pointsman").exists()


@pytest.mark.parametrize(
    ("text", "name"), [("Häuser_und.Bäume", "hauser_und.baume"), ("Straße", "strasse"), ("Acme Co", "acme-co"), ("日本", "x")]
)
def test_a_name_keeps_the_letters_that_it_can(text: str, name: str) -> None:
    assert declared_name(text) == name


@pytest.mark.parametrize(
    ("remote", "found"),
    [
        ("git@github.com:acme/mnist.git", ("acme", "mnist")),
        ("https://user:token@gitlab.com/group/acme/mnist.git", ("acme", "mnist")),
        ("ssh://git@git.example.com:2222/acme/mnist", ("acme", "mnist")),
        ("https://git.example.com/mnist.git", None),
        ("/srv/git/mnist.git", None),
        ("", None),
    ],
)
def test_owner_and_name_of_a_remote(remote: str, found: tuple[str, str] | None) -> None:
    assert owner_and_name(remote) == found


def test_lines_are_added_once() -> None:
    text = with_lines("a @x", ["/b @y", "a @x"])
    assert text == "a @x\n/b @y\n"
    assert with_lines(text, ["/b @y"]) == text

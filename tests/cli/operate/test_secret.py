"""Secrets: values come in and never out, but for the one password that is made here."""

from __future__ import annotations

import pytest

from controller.cli.users import with_user
from controller.embedded.gateway.htpasswd import parse_users
from controller.model.errors import Stalled
from tests.cli.operate.conftest import Person

pytestmark = pytest.mark.system


def test_a_value_from_stdin_is_kept_without_its_line_end_and_never_shown(person: Person) -> None:
    done = person.run("secret", "set", "api", "token", stdin="hunter2\n")
    assert done.code == 0
    listed = person.run("secret", "list", "-o", "json")
    assert listed.json == [{"name": "api", "keys": ["token"]}]
    assert "hunter2" not in done.out + done.err + listed.out
    [file] = person.home.rglob("secrets/api/token")
    assert file.read_text() == "hunter2"
    assert file.stat().st_mode & 0o077 == 0


def test_a_file_is_taken_to_the_byte(person: Person) -> None:
    source = person.home / "key.pem"
    source.write_text("line\n\n")
    assert person.run("secret", "set", "tls", "key", "--from-file", str(source)).code == 0
    [file] = person.home.rglob("secrets/tls/key")
    assert file.read_text() == "line\n\n"


@pytest.mark.parametrize(
    ("command", "stdin", "words"),
    [
        (["set", "api", "token"], "", "stdin is empty"),
        (["set", "../api", "token"], "x", "is not the name of a Secret"),
        (["set", "api", "a/b"], "x", "is not a key of a Secret"),
        (["delete", "api"], "", "there is no Secret api"),
        (["set-user", "predictors", "a:b"], "", "cannot be a user name"),
    ],
)
def test_what_cannot_be_done_is_said(person: Person, command: list[str], stdin: str, words: str) -> None:
    done = person.run("secret", *command, stdin=stdin)
    assert (done.code, done.out) == (1, "")
    assert words in done.err


def test_deleting_a_key_leaves_the_others(person: Person) -> None:
    for key in ("one", "two"):
        person.run("secret", "set", "api", key, stdin="x")
    assert person.run("secret", "delete", "api", "one").code == 0
    assert person.run("secret", "list", "-o", "json").json == [{"name": "api", "keys": ["two"]}]
    assert "has no key one" in person.run("secret", "delete", "api", "one").err


def test_the_gateway_admits_the_new_password_and_not_the_old_one(person: Person) -> None:
    first = person.run("secret", "set-user", "predictors", "alice").out.strip()
    person.run("secret", "set-user", "predictors", "bob")
    second = person.run("secret", "set-user", "predictors", "alice").out.strip()
    [file] = person.home.rglob("secrets/predictors/.htpasswd")
    users = parse_users(file.read_text())
    assert users.hashes.keys() == {"alice", "bob"}
    assert users.admits("alice", second.encode())
    assert not users.admits("alice", first.encode())
    assert second not in file.read_text()


def test_other_lines_of_the_file_stay_as_they_are() -> None:
    text, password = with_user("# people\nbob:$apr1$x$y\nalice:old\n", "alice")
    assert text.splitlines()[:2] == ["# people", "bob:$apr1$x$y"]
    assert len(text.splitlines()) == 3
    assert len(password.reveal()) >= 22, "at least 128 bits"
    assert str(password) == "***"


@pytest.mark.parametrize("user", ["", "a:b", "a\nb", "#a", " a"])
def test_a_name_that_would_break_the_file_is_refused(user: str) -> None:
    with pytest.raises(Stalled):
        with_user("", user)

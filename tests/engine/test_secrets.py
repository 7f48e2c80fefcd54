"""Secrets are read by name and remembered: asked again when something is missing, when their users change, or a person asks."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from controller.embedded.gateway.htpasswd import parse_users
from controller.embedded.secrets import SecretFiles
from controller.embedded.store import EmbeddedStore
from controller.engine import secrets
from controller.engine.secrets import Secrets, probe_line
from controller.model.identity import ObjectKey, UnitKey
from controller.model.objects import Object
from controller.model.secret import Secret

pytestmark = pytest.mark.contract

UNIT = UnitKey("acme", "mnist", "americas")
PREDICTORS, COPY = (ObjectKey("Secret", "any", name) for name in ("predictors", "copy"))
SHA = "{SHA}" + base64.b64encode(b"01234567890123456789").decode()


class Asked(EmbeddedStore):
    """Counts what is asked for by name."""

    def __init__(self, path: Path) -> None:
        self.files = SecretFiles(path / "secrets")
        super().__init__(path / "store", secrets=self.files)
        self.asked: list[str] = []

    def get(self, key: ObjectKey) -> Object | None:
        self.asked.append(key.name)
        return super().get(key)


def write(path: Path, name: str, key: str, text: str) -> None:
    SecretFiles(path / "secrets").set(name, key, Secret(text))


def test_a_secret_that_has_what_is_wanted_is_asked_for_once(tmp_path: Path) -> None:
    write(tmp_path, "api", "token", "x")
    with Asked(tmp_path) as store:
        known = Secrets(store)
        for _ in range(3):
            assert known.keys("any", [("api", "token")]) == {"api": frozenset({"token"})}
        assert store.asked == ["api"]


def test_what_is_missing_is_asked_for_again_but_not_on_every_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Asked(tmp_path) as store:
        known = Secrets(store)
        assert known.keys("any", [("api", "token")]) == {}
        assert known.keys("any", [("api", "token")]) == {}
        assert store.asked == ["api"]
        write(tmp_path, "api", "token", "x")
        monkeypatch.setattr(secrets, "MISSING_POLL", 0.0)
        assert known.keys("any", [("api", "token")]) == {"api": frozenset({"token"})}


def test_only_a_deployment_that_says_something_else_is_asked_about_anew(tmp_path: Path) -> None:
    write(tmp_path, "api", "token", "x")
    with Asked(tmp_path) as store:
        known = Secrets(store)
        for declared in ({"a": 1}, {"a": 1}, {"a": 2}, {"a": 2}):
            known.renew(UNIT, declared, "any", ["api"])
            known.keys("any", [("api", "token")])
        assert store.asked == ["api", "api"]


def test_the_users_are_the_declared_ones_and_the_probe(tmp_path: Path) -> None:
    write(tmp_path, "predictors", ".htpasswd", f"ada:{SHA}\n\n")
    password = Secret("random")
    with Asked(tmp_path) as store:
        text = Secrets(store).users(PREDICTORS, COPY, password)
    assert text is not None
    assert text.reveal().splitlines() == [f"ada:{SHA}", probe_line(password)]
    assert "random" not in text.reveal()
    users = parse_users(text.reveal())
    assert users.admits("pointsman-probe", b"random")
    assert not users.admits("pointsman-probe", b"other")


def test_who_does_not_know_the_probe_keeps_its_line(tmp_path: Path) -> None:
    write(tmp_path, "predictors", ".htpasswd", f"ada:{SHA}\n")
    with Asked(tmp_path) as store:
        assert Secrets(store).users(PREDICTORS, COPY, None) == Secret(f"ada:{SHA}\n")
        made = Secrets(store).users(PREDICTORS, COPY, Secret("random"))
        assert made is not None
        write(tmp_path, "copy", ".htpasswd", made.reveal())
        assert Secrets(store).users(PREDICTORS, COPY, None) == made


@pytest.mark.parametrize("key", ["token", None])
def test_users_that_are_not_there_are_not_known(tmp_path: Path, key: str | None) -> None:
    if key:
        write(tmp_path, "predictors", key, "x")
    with Asked(tmp_path) as store:
        assert Secrets(store).users(PREDICTORS, COPY, Secret("random")) is None

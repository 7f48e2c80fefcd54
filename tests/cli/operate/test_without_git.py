"""Pinning and suspending: what a person may do while git cannot be asked."""

from __future__ import annotations

import pytest

from tests.cli.operate.conftest import Person

pytestmark = pytest.mark.system


def test_a_pin_leads_an_alias_until_unpin_or_a_commit_that_moves_it(person: Person) -> None:
    repository = person.repository
    repository.configure(idle={"replicas": 1})
    repository.release("v2", README="two\n")
    with person.serving():
        assert _settled_on(person, "v2")
        assert person.run("pin", "production", "v7").code == 1
        assert person.run("pin", "local/production", "v1").out == "local: production is pinned to v1\n"
        assert _settled_on(person, "v1")
        assert person.run("unpin", "local/production", "-d", "elsewhere").code == 64
        assert person.run("unpin", "local/production").code == 0
        assert _settled_on(person, "v2")
        assert person.run("unpin", "production").code == 1
        assert person.run("pin", "production", "v1").code == 0
        assert _settled_on(person, "v1")
        repository.release("v3", README="three\n")
        assert _settled_on(person, "v3")


def test_a_suspended_deployment_stays_as_it_is(person: Person) -> None:
    with person.serving():
        assert _settled_on(person, "v1")
        assert person.run("suspend", "lcoal").code == 1
        assert person.run("suspend", "local", "-m", "load test").code == 0
        person.repository.release("v2", README="two\n")
        for named in ((), ("local",), ("local/production",)):
            held = person.run("status", *named, "--wait")
            assert held.code == 1
            assert "load test" in held.last_word
            assert "pointsman resume local" in held.err
        assert person.run("resume", "local").code == 0
        assert _settled_on(person, "v2")


def _settled_on(person: Person, version: str) -> bool:
    """Whether production comes to lead to a version, as the status says."""
    for _ in range(60):
        done = person.run("status", "-o", "json")
        [unit] = done.json["units"] if done.code == 0 else [None]
        if unit and unit["settled"] and unit["aliases"] and unit["aliases"][0]["version"] == version:
            return True
    return False


def test_a_restart_replaces_the_replicas_and_nothing_else(person: Person) -> None:
    with person.serving():
        assert _settled_on(person, "v1")
        log = person.run("logs", "production").out
        assert person.run("restart", "local", "--version", "v9").code == 1
        assert person.run("restart", "local").out == "v1/say is restarted\n"
        for _ in range(60):
            if len(person.run("logs", "production").out) > len(log):
                break
        assert person.run("logs", "production").out.count("echo starts") == 2
        assert _settled_on(person, "v1")
        assert person.run("plan").out.count("nothing to do") == 1

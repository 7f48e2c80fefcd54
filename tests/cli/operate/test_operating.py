"""A release, a broken one and its revert, watched from a second terminal."""

from __future__ import annotations

import pytest

from tests.cli.operate.conftest import Person
from tests.system.repository import deployment_file

pytestmark = pytest.mark.system


def test_before_anything_ran_every_command_says_what_to_do(person: Person) -> None:
    for command in (["status"], ["logs", "say"], ["reconcile"]):
        done = person.run(*command)
        assert (done.code, done.out) == (1, "")
        assert "pointsman up" in done.err
    waited = person.run("status", "--wait")
    assert waited.code == 1
    assert waited.last_word.startswith("error: no controller runs")


def test_operating_a_running_controller_and_what_it_left(person: Person) -> None:
    repository = person.repository
    with person.serving():
        assert person.run("status", "--wait", "--timeout", "2m").code == 0
        [unit] = person.run("status", "-o", "json").json["units"]
        assert (unit["health"], unit["settled"], unit["aliases"][0]["version"]) == ("Healthy", True, "v1")
        assert person.run("status", "-o", "name").out == "local/production\n"

        hurry = {"idle": {"replicas": 0}, "rollout": {"deadline": "5s"}}
        repository.release("v2", **{"serve.py": "raise SystemExit('no model here')\n", deployment_file(): hurry})
        broken = person.run("status", "local/production", "--wait", "--timeout", "2m")
        assert broken.code == 1
        assert "no model here" in broken.last_word
        shown = person.run("status").out
        assert "given up" in shown
        assert "v1" in shown
        assert person.run("logs", "v2/say", "--tail", "1").out == "no model here\n"
        retried = person.run("reconcile", "local")
        assert (retried.code, retried.out) == (0, "acme/echo/local is tried again\n")

        repository.git("revert", "--no-edit", "HEAD")
        assert person.run("status", "--wait", "--timeout", "2m").code == 0

    past = person.run("history", "local/production", "-o", "json").json
    assert [row["version"] for row in past] == ["v1", "v2", "v1"]
    assert person.run("logs", "production", "--tail", "1").out == "echo starts\n"
    left = person.run("status", "-o", "json").json
    assert left["controller"]["running"] is False
    assert left["units"][0]["health"] == "Unknown"
    assert person.run("reconcile").out.startswith("acme/echo/local will be tried again")


def test_a_build_failure_is_told_at_once_and_ends_with_its_revert(person: Person) -> None:
    with person.serving(committed=False):
        assert person.run("status", "--wait", "--timeout", "2m").code == 0
        person.repository.release("v2", **{"requirements.txt": "nothing @ file:///nowhere/nothing.whl\n"})
        for _ in range(2):
            broken = person.run("status", "--wait", "--timeout", "2m")
            assert broken.code == 1
            assert "cannot be built" in broken.last_word
        person.repository.git("revert", "--no-edit", "HEAD")
        assert person.run("status", "--wait", "--timeout", "2m").code == 0
        assert person.run("plan", "--exit-code").code == 0


def test_the_way_of_serving_may_change_between_two_runs(person: Person) -> None:
    for committed in (False, True, False):
        with person.serving(committed=committed):
            assert person.run("status", "--wait", "--timeout", "2m").code == 0
            [unit] = person.run("status", "-o", "json").json["units"]
            assert unit["settled"]
            assert [found["provisional"] for found in unit["versions"]] == [False]


def test_following_logs_ends_with_ctrl_c(person: Person) -> None:
    with person.serving():
        assert person.run("status", "--wait", "--timeout", "2m").code == 0
        with person.start("logs", "production", "-f") as process:
            try:
                assert process.stdout is not None
                assert process.stdout.readline() == "echo starts\n"
                process.send_signal(2)
                process.communicate(timeout=60)
            finally:
                process.kill()
        assert process.returncode == 130


def test_a_commit_that_is_not_on_the_branch_is_refused_at_once(person: Person) -> None:
    person.repository.git("switch", "--quiet", "--create", "other")
    elsewhere = person.repository.commit({"note.txt": "elsewhere"})
    person.repository.git("switch", "--quiet", "main")
    with person.serving():
        done = person.run("status", "--wait", "--revision", elsewhere)
        assert done.code == 1
        assert "does not hold" in done.last_word
    assert "git knows no commit" in person.run("status", "--wait", "--revision", "nowhere").err
    assert person.run("status", "--wait", "--watch").code == 64
    assert person.run("status", "--timeout", "soon").code == 64

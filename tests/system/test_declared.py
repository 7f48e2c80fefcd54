"""What a deployment says: who may come in, what runs while nobody asks, what waits for a Secret or for a person."""

from __future__ import annotations

import pytest

from controller.model.secret import Secret
from tests.system.repository import DEPLOYMENT, alias_file, deployment_file, path
from tests.system.stage import Stage, eventually

pytestmark = pytest.mark.system


def test_a_missing_secret_is_a_gate_and_its_arrival_opens_it(stage: Stage) -> None:
    repository = stage.repository
    repository.configure()
    repository.release("1.0")
    stage.until("production", token=None)
    commit = repository.configure(environment={"TOKEN": {"secret": "api", "key": "token"}})
    stage.until_reason("api", "token")
    assert stage.said("production")["token"] is None
    stage.serving.cluster.secrets.set("api", "token", Secret("open sesame"))
    stage.until("production", token="open sesame")
    stage.until_applied(commit)
    assert "open sesame" not in str(stage.plan())
    assert "open sesame" not in str(stage.record())


def test_access_is_asked_for_and_golden_requests_pass_it(stage: Stage) -> None:
    golden = {"request": {"path": "/"}, "expect": {"status": 200, "json": {"code": "code of 1.0"}}}
    stage.serving.cluster.secrets.set("users", ".htpasswd", Secret("ada:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\n"))
    stage.repository.configure(access={"basicAuth": {"secret": "users"}})
    commit = stage.repository.release("1.0", **{"golden/say/code.yaml": golden})
    stage.until_applied(commit)
    for name in ("1.0", "production"):
        assert stage.get(path(name)).status_code == 401
        assert stage.get(path(name), auth=("ada", "wrong")).status_code == 401
        assert stage.get(path(name), auth=("ada", "password")).json()["version"] == "1.0"


def test_a_version_that_is_only_built_answers_with_the_setting_that_says_so(stage: Stage) -> None:
    stage.repository.write(deployment_file(), {"idle": {"replicas": 0}})
    stage.repository.release("1.0", alias=None)
    commit = stage.repository.release("2.0")
    stage.until_applied(commit)
    answer = stage.get(path("1.0"))
    assert answer.status_code == 503
    assert "idle: {replicas: 0}" in answer.text
    assert stage.said("production")["version"] == "2.0"


def test_a_removed_alias_is_held_until_a_commit_allows_it(stage: Stage) -> None:
    repository = stage.repository
    repository.release("1.0")
    repository.release("1.0", alias="staging")
    for name in ("production", "staging"):
        stage.until(name, version="1.0")
    repository.commit({alias_file("staging"): None}, "Remove staging")
    hold = eventually(lambda: next(iter(stage.holds()), None))
    assert "staging" in hold.message
    assert hold.hint == f"pointsman allow-prune {DEPLOYMENT}"
    assert stage.said("staging")["version"] == "1.0"
    repository.commit({}, f"Staging may go\n\nPointsman-Allow-Prune: {DEPLOYMENT}")
    eventually(lambda: stage.get(path("staging")).status_code == 404)
    assert stage.said("production")["version"] == "1.0"


def test_what_an_endpoint_prints_is_kept(stage: Stage) -> None:
    stage.until_applied(stage.repository.release("1.0"))
    workload = stage.get(path("production")).headers["X-Pointsman-Workload"]
    logs = stage.serving.cluster.runner.logs
    eventually(lambda: "echo starts" in [line.text for line in logs.read(stage.unit().namespace, workload)])

"""Basic auth through Traefik lets in whom it should and nobody else, golden requests included."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from controller.cli.users import with_user
from controller.model.secret import Secret
from tests.cluster.fixtures import Testbed
from tests.cluster.stage import Stage, eventually, staged

pytestmark = pytest.mark.cluster
USERS = "predictors"
GOLDEN = {"request": {"path": "/"}, "expect": {"status": 200, "json": {"authorization": None}}}


@pytest.fixture
def stage(testbed: Testbed, tmp_path: Path) -> Iterator[Stage]:
    with staged(testbed, tmp_path) as found:
        yield found


def test_who_may_come_in_and_who_may_not(stage: Stage) -> None:
    users, password = with_user("", "alice")
    _guard(stage)
    stage.repository.release("1.0", **{"golden/say/closed.yaml": GOLDEN})
    with stage.controller():
        eventually(lambda: USERS in stage.conditions(), stage.log)
        assert stage.get("1.0").status_code == 404, "not served before there is anybody who may ask"
        _write_users(stage, users)
        said = _until_let_in(stage, "production", "alice", password)
        assert said["authorization"] is None, "the endpoint never sees the password"
        for name in ("production", "1.0"):
            assert stage.get(name).status_code == 401
            assert stage.get(name, auth=("alice", "wrong")).status_code == 401
            assert stage.get(name, auth=("bob", password.reveal())).status_code == 401
            assert stage.get(name, auth=("pointsman-probe", "")).status_code == 401
        more, another = with_user(users, "bob")
        _write_users(stage, more)
        _guard(stage, idle={"replicas": 2})  # a reason to look; without one that takes up to a minute
        _until_let_in(stage, "production", "bob", another)
        assert stage.get("production", auth=("alice", password.reveal())).status_code == 200
        assert password.reveal() not in stage.logs[-1].read_text()


def test_removing_the_guard_opens_the_route_and_never_breaks_it(stage: Stage) -> None:
    """Everybody is asked for a password until the route has changed, and answered from then on."""
    users, password = with_user("", "alice")
    _guard(stage)
    stage.repository.release("1.0")
    with stage.controller():
        eventually(lambda: USERS in stage.conditions(), stage.log)
        _write_users(stage, users)
        _until_let_in(stage, "production", "alice", password)
        stage.repository.configure()
        statuses = []

        def opened() -> bool:
            statuses.append(stage.get("production").status_code)
            return statuses[-1] == 200

        eventually(opened, stage.conditions)
        assert set(statuses) <= {401, 200}
        assert stage.get("production", auth=("alice", password.reveal())).status_code == 200
        eventually(lambda: not stage.objects("Middleware"), stage.conditions)


def test_a_guard_that_is_added_closes_the_route_without_an_interruption(stage: Stage) -> None:
    users, password = with_user("", "alice")
    stage.repository.release("1.0")
    with stage.controller():
        stage.until("production", version="1.0")
        _write_users(stage, users)
        _guard(stage)
        statuses = []

        def closed() -> bool:
            statuses.append(stage.get("production").status_code)
            return statuses[-1] == 401

        eventually(closed, stage.conditions)
        assert set(statuses) == {200, 401}
        assert _until_let_in(stage, "production", "alice", password)["version"] == "1.0"


def _guard(stage: Stage, **settings: Any) -> None:
    stage.repository.configure(access={"basicAuth": {"secret": USERS}}, **settings)


def _write_users(stage: Stage, users: str) -> None:
    """As a person does: the Secret is nobody else's."""
    data = {".htpasswd": base64.b64encode(users.encode()).decode()}
    metadata = {"name": USERS, "namespace": stage.namespace}
    stage.client.apply({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data}, manager="somebody")


def _until_let_in(stage: Stage, name: str, user: str, password: Secret) -> Mapping[str, Any]:
    answer = eventually(
        lambda: (found := stage.get(name, auth=(user, password.reveal()))).status_code == 200 and found,
        lambda: f"{stage.get(name).status_code} {stage.conditions()}\n{stage.log()}",
    )
    said: dict[str, Any] = answer.json()
    return said

"""Endpoints as containers of a real Docker Engine, from their base image: releases, promotions, reverts, and a clean end."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.cli.context import Place
from controller.cli.previews import preview
from controller.cli.runtime.choice import Choice, choose
from controller.embedded.secrets import SecretFiles
from controller.embedded.state_directory import StateDirectory
from controller.model.secret import Secret
from tests.docker_engine.engine import Engine
from tests.embedded.containers.cluster import containers_of, remove_all
from tests.system.load import Load, version_agrees
from tests.system.repository import ENDPOINT, Repository, path, version_file
from tests.system.stage import Stage, eventually, staged

pytestmark = pytest.mark.system

GREETER = "greet-me"


@pytest.fixture
def runtime(container_engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Choice:
    """Containers of the session's Engine, to which the caller's variables lead."""
    for name, value in container_engine.environment.items():
        monkeypatch.setenv(name, value)
    return choose("docker", container_engine.environment)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """Two endpoints of one image: one that answers, and one that ends after each answer. Both are told port 8000."""
    made = Repository.create(tmp_path / "echo")
    image, port = "python:3.11", 8000
    commands = {ENDPOINT: "python serve.py", GREETER: "python -m wsgiref.simple_server"}
    endpoints = [{"name": n, "image": image, "port": port, "server-command": c} for n, c in commands.items()]
    made.write("valohai.yaml", json.dumps([{"endpoint": each} for each in endpoints]))
    made.configure(
        endpoints={ENDPOINT: {"scale": {"min": 2, "max": 2}, "environment": {"TOKEN": {"secret": "api", "key": "token"}}}},
        rollout={"deadline": "5m"},
    )
    return made


@pytest.fixture
def stage(repository: Repository, runtime: Choice, container_engine: Engine, tmp_path: Path) -> Iterator[Stage]:
    SecretFiles(StateDirectory(tmp_path / "state").create().secrets).set("api", "token", Secret("opened"))
    try:
        with staged(repository, tmp_path / "state", runtime) as found:
            yield found
        assert containers_of(container_engine, tmp_path / "state") == []
    finally:
        remove_all(container_engine)


def test_no_request_fails_while_versions_come_are_promoted_and_reverted(
    stage: Stage, container_engine: Engine, tmp_path: Path
) -> None:
    repository = stage.repository
    repository.release("1.0")
    first = stage.until("production", version="1.0")
    assert (first["token"], first["code"]) == ("opened", "code of 1.0")
    with Load(stage.serving.url + path("production"), version_agrees, fresh=2) as load:
        released = repository.release("2.0")
        stage.until("production", version="2.0")
        repository.git("revert", "--no-edit", released)
        stage.until("production", version="1.0")
        repository.git("revert", "--no-edit", "HEAD")
        second = stage.until("production", version="2.0")
    assert load.faults == []
    assert min(load.answers) > 10
    assert second["code"] == "code of 2.0"
    greeted = stage.get(path("production", endpoint=GREETER))
    assert (greeted.status_code, greeted.text[:12]) == (200, "Hello world!")
    running = [c["Names"] for c in containers_of(container_engine, tmp_path / "state")]
    assert len([name for name in running if name.startswith(f"pointsman-{ENDPOINT}-2-0-")]) == 2
    logs = stage.serving.cluster.runner.logs
    workload = eventually(lambda: [p["metadata"] for p in stage.serving.cluster.store.list("Pod").items])[0]
    printed = logs.read(workload["namespace"], workload["labels"]["pointsman.dev/workload"])
    assert "echo starts" in {line.text for line in printed} or GREETER in workload["name"]


def test_a_plan_without_a_controller_means_the_same_images(
    repository: Repository, runtime: Choice, container_engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    SecretFiles(StateDirectory(tmp_path / "state").create().secrets).set("api", "token", Secret("opened"))
    monkeypatch.setenv("POINTSMAN_RUNTIME", "auto")
    monkeypatch.setattr("controller.cli.runtime.choice._SOON", 60)  # a stalled machine must not look like one without Docker
    repository.commit({version_file("0.1"): {}})
    first = preview(Place(repository.root, StateDirectory(tmp_path / "new")), time.time())
    assert {spec.base for plan in first.plans for spec in plan.builds} == {"python:3.11"}
    try:
        with staged(repository, tmp_path / "state", runtime) as stage:
            commit = repository.release("1.0")
            stage.until_applied(commit)
        seen = preview(Place(repository.root, StateDirectory(tmp_path / "state")), time.time())
        assert [plan.changes for plan in seen.plans] == [()]
    finally:
        remove_all(container_engine)

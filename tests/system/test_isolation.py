"""One mistake, one slow unit, one unreadable repository: nobody else notices."""

from __future__ import annotations

from pathlib import Path

import httpx2
import pytest

from controller.embedded.state_directory import StateDirectory
from tests.system.assembly import assembled, committed
from tests.system.repository import ENDPOINT, Repository, alias_file, deployment_file, path
from tests.system.stage import Stage, eventually

pytestmark = pytest.mark.system


def test_a_mistake_in_one_deployment_leaves_the_other_moving(stage: Stage) -> None:
    repository = stage.repository
    repository.write(deployment_file("other"), {})
    repository.write(alias_file(deployment="other"), {"version": "1.0"})
    repository.release("1.0")
    stage.until("production", version="1.0")
    stage.until("production", "other", version="1.0")
    files = {deployment_file("other"): "rollouts: {}\n", alias_file(deployment="other"): {"version": "2.0"}}
    commit = repository.release("2.0", **files)
    stage.until("production", version="2.0")
    reasons = stage.until_reason("rollouts", deployment="other")
    assert deployment_file("other") in reasons
    assert stage.said("production", "other")["version"] == "1.0"
    assert commit not in stage.record("other").applied
    repository.commit({deployment_file("other"): {}}, "mend it")
    stage.until("production", "other", version="2.0")


def test_a_broken_version_holds_only_the_alias_that_names_it(stage: Stage) -> None:
    repository = stage.repository
    repository.release("1.0")
    stage.until("production", version="1.0")
    repository.write("pointsman/versions/broken.yaml", {"endpoints": ["sing"]})
    repository.write(alias_file("staging"), {"version": "broken"})
    repository.release("2.0")
    stage.until("production", version="2.0")
    stage.until_reason("sing")
    assert stage.get(path("staging")).status_code == 404


def test_an_unreadable_repository_changes_nothing_that_runs(stage: Stage) -> None:
    repository = stage.repository
    stage.until_applied(repository.release("1.0"))
    before = stage.said("production")
    objects = repository.root / ".git"
    objects.rename(hidden := repository.root.parent / "hidden")
    stage.serving.controller.wake()
    eventually(stage.serving.controller.source_errors)
    assert stage.said("production")["pid"] == before["pid"]
    assert stage.said("1.0")["pid"] == before["pid"]
    hidden.rename(objects)
    repository.release("2.0")
    stage.serving.controller.wake()
    stage.until("production", version="2.0")
    assert not stage.serving.controller.source_errors()


def test_two_sources_share_a_target_and_nothing_else(tmp_path: Path) -> None:
    left, right = [Repository.create(tmp_path / name, project=name) for name in ("left", "right")]
    for repository in (left, right):
        repository.configure()
        repository.release("1.0")
    state = StateDirectory(tmp_path / "state")
    with (
        assembled([committed(left, state), committed(right, state)], state) as found,
        httpx2.Client(base_url=found.cluster.url, trust_env=False) as client,
    ):

        def serves(project: str, version: str) -> bool:
            answer = client.get(path("production", project=project))
            return answer.status_code == 200 and answer.json()["version"] == version

        for project in ("left", "right"):
            eventually(lambda project=project: serves(project, "1.0"))
        left.commit({"pointsman/project.yaml": "owner: [\n"}, "break the project file")
        right.release("2.0")
        eventually(lambda: serves("right", "2.0"))
        assert serves("left", "1.0")
        left.git("revert", "--no-edit", "HEAD")
        left.release("3.0")
        eventually(lambda: serves("left", "3.0"))
        assert serves("right", "2.0")
        assert {str(unit) for unit in found.controller.units()} == {"acme/left/local", "acme/right/local"}


def test_versions_that_never_answer_delay_no_other_deployment(stage: Stage) -> None:
    repository = stage.repository
    never = {"request": {"path": "/?seconds=600"}, "expect": {"status": 200}}
    stuck = [f"stuck-{number}" for number in range(5)]
    for name in stuck:
        repository.write(deployment_file(name), {"endpoints": {ENDPOINT: {"timeout": "15m"}}})
        repository.write(alias_file(deployment=name), {"version": "1.0"})
    repository.release("1.0", alias=None, **{"golden/say/never.yaml": never})
    for name in stuck:
        stage.until_reason("golden requests of say", deployment=name)
    answered = {"request": {"path": "/"}, "expect": {"status": 200}}
    stage.until_applied(repository.release("2.0", **{"golden/say/never.yaml": answered}))
    assert stage.said("production")["version"] == "2.0"
    for name in stuck:
        assert "golden requests of say" in stage.reasons(name)

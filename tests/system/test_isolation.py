"""One mistake, one slow unit, one unreadable repository: nobody else notices."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx2
import pytest

from controller.cli.profile import embedded_profile
from controller.embedded.cluster import EmbeddedCluster
from controller.embedded.state_directory import StateDirectory
from controller.engine.controller import Controller
from controller.engine.targets import Target
from controller.images.builder import LayoutBuilder
from controller.images.unpack import Unpacker
from controller.model.secret import Secret
from controller.source.local import WorkingDirectory
from controller.state.history import FileHistory
from tests.embedded.runtime.conftest import kill_everything_below
from tests.system.repository import Repository, alias_file, deployment_file, path
from tests.system.stage import Stage, eventually

pytestmark = pytest.mark.system


def test_a_mistake_in_one_deployment_leaves_the_other_moving(stage: Stage) -> None:
    repository = stage.repository
    repository.write(deployment_file("other"), {"rollout": {"deadline": "5s"}})
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


@pytest.fixture
def two_sources(tmp_path: Path) -> Iterator[tuple[Controller, EmbeddedCluster, list[Repository]]]:
    """One controller over two repositories with a project each."""
    repositories = [Repository.create(tmp_path / name, project=name) for name in ("left", "right")]
    for repository in repositories:
        repository.write(deployment_file(), {})
        repository.release("1.0")
    state = StateDirectory(tmp_path / "state").create()
    with ExitStack() as opened:
        opened.callback(kill_everything_below, state.root)
        sources = [WorkingDirectory(r.root, state=state.git / r.root.name, committed=True) for r in repositories]
        for source in sources:
            opened.callback(source.close)
        cluster = opened.enter_context(EmbeddedCluster(state, Unpacker(state.images, state.cache)))
        builder = LayoutBuilder(state.images, state.cache)
        probe = Secret(cluster.probe_token)
        target = Target(embedded_profile(state, cluster.url), cluster.store, builder, (cluster.url,), probe)
        controller = Controller(target, sources, FileHistory(state.history), interval=0.1)
        controller.start()
        opened.callback(controller.stop)
        yield controller, cluster, repositories


def test_two_sources_share_a_target_and_nothing_else(
    two_sources: tuple[Controller, EmbeddedCluster, list[Repository]],
) -> None:
    controller, cluster, (left, right) = two_sources
    with httpx2.Client(base_url=cluster.url, trust_env=False) as client:

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
        assert {str(unit) for unit in controller.units()} == {"acme/left/local", "acme/right/local"}

"""Images leave the registry of a real cluster, with the rights of the shipped manifests, also over a kill -9 in between."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from controller.model.clean_up import Memory
from controller.state.unneeded import UnneededImages
from tests.cluster.fixtures import Testbed
from tests.cluster.stage import Stage, eventually, staged
from tests.images.faulty_proxy import Fault, Proxy, running_proxy
from tests.system.repository import version_file

pytestmark = pytest.mark.cluster
KEEP = 8.0


@pytest.fixture
def proxy(testbed: Testbed) -> Iterator[Proxy]:
    with running_proxy(testbed.registry.partition("://")[2]) as found:
        yield found


@pytest.fixture
def stage(testbed: Testbed, proxy: Proxy, tmp_path: Path) -> Iterator[Stage]:
    with staged(testbed, tmp_path) as found:
        registry = {**found.configured()["registry"], "url": f"{proxy.url}/pointsman", "cleanUp": {"keep": f"{KEEP:.0f}s"}}
        found.settings["registry"] = registry
        found.repository.configure(rollout={"deadline": "2m", "keepWarm": "0s"}, idle={"replicas": 0})
        yield found


def tags(stage: Stage) -> list[str]:
    answer = httpx2.get(f"{stage.testbed.registry}/v2/pointsman/{stage.unit.owner}/{stage.unit.project}/tags/list")
    return sorted(answer.json().get("tags") or ()) if answer.status_code == 200 else []


def memory(stage: Stage) -> Memory:
    registry = stage.configured()["registry"]["pull"]
    return UnneededImages(stage.client, stage.installation.namespace, stage.installation.name, registry).read()


def are_due(stage: Stage, count: int) -> bool:
    seen = memory(stage).get(f"{stage.unit.owner}/{stage.unit.project}", {})
    return sum(time.time() - each.since > KEEP + 1 for each in seen.values()) == count


def told(stage: Stage) -> set[str]:
    """The tags of images that Events say were deleted."""
    events = stage.client.list("Event", namespace=stage.namespace).items
    return {event["note"].partition(":")[0] for event in events if event["reason"] == "ImageDeleted"}


def test_unneeded_images_go_once_and_a_kill_between_two_changes_nothing(stage: Stage, proxy: Proxy) -> None:
    proxy.choose = lambda method, path, before: Fault(405) if method == "DELETE" else None
    with stage.controller() as process:
        for version in ("1", "2"):  # built only: nothing of them runs
            stage.repository.release(version, alias=None)
        stage.repository.release("3")
        stage.until("production", version="3")
        eventually(lambda: len(tags(stage)) == 3, stage.log)
        for version in ("1", "2"):
            stage.until_applied(stage.repository.commit({version_file(version): None}))
        before = tags(stage)
        eventually(lambda: are_due(stage, 2), lambda: f"{memory(stage)}\n{stage.log()}")
        eventually(lambda: "REGISTRY_STORAGE_DELETE_ENABLED=true" in stage.logs[-1].read_text(), stage.log)
        assert tags(stage) == before

        def kill_before_the_second(method: str, path: str, before: int) -> Fault | None:
            if method != "DELETE":
                return None
            if len(tags(stage)) < 3:
                process.kill()
                return Fault(503)
            return None

        proxy.choose = kill_before_the_second
        process.wait(120)
    assert len(tags(stage)) == 2, stage.log()
    proxy.choose = lambda method, path, before: None
    with stage.controller():
        eventually(lambda: len(tags(stage)) == 1, stage.log)
        eventually(lambda: told(stage), stage.log)
        assert told(stage) <= set(before) - set(tags(stage))
        stage.until("production", version="3")

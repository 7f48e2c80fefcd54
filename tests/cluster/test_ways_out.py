"""Each way of leaving a target has an end: deleted, moved, no longer configured, gone for good."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from controller.model import labels
from controller.model.identity import ObjectKey
from controller.model.objects import annotation
from tests.cluster.fixtures import Testbed
from tests.cluster.load import constant_load
from tests.cluster.neighbour import ELSEWHERE, neighbour
from tests.cluster.people import Person, somebody
from tests.cluster.stage import Stage, eventually, staged
from tests.system.repository import DEPLOYMENT, alias_file, deployment_file, version_file

pytestmark = pytest.mark.cluster
FAR = "europe"
ROLLOUT = {"deadline": "2m", "keepWarm": "0s"}


@pytest.fixture
def stage(testbed: Testbed, tmp_path: Path) -> Iterator[Stage]:
    with staged(testbed, tmp_path) as found:
        yield found


@pytest.fixture
def far(stage: Stage, second_testbed: Testbed) -> Iterator[Stage]:
    """A second deployment, to be on the other cluster."""
    with neighbour(stage, second_testbed, FAR) as there:
        yield there


def test_a_deleted_deployment_is_held_and_goes_once_a_commit_allows_it(stage: Stage) -> None:
    near, going = stage, stage.of(FAR)
    release(stage, "1.0", target=None)
    with stage.controller():
        for here in (near, going):
            here.until("production", version="1.0")
        with constant_load(near, "production") as load:
            with constant_load(going, "production") as load_of_held:
                stage.repository.commit({deployment_file(FAR): None, alias_file(deployment=FAR): None})
                eventually(lambda: f"deployment {FAR} disappeared from git" in going.conditions(), going.log)
                assert not is_gone(going)
            stage.repository.commit({}, f"Let it go\n\nPointsman-Allow-Prune: {FAR}")
            eventually(lambda: is_gone(going), lambda: f"{going.conditions()}\n{going.log()}")
        assert near.said("production")["version"] == "1.0"
        assert stage.client.get(ObjectKey("Namespace", "", stage.namespace)), "a namespace is never removed"
    assert load.faults + load_of_held.faults == []


def test_a_moved_deployment_stays_until_it_is_ready_on_its_new_target(stage: Stage, far: Stage) -> None:
    """The new cluster lacks a Secret at first."""
    old = stage.of(FAR)
    make_secret(old)
    release(stage, "1.0", target=None, environment={"TOKEN": {"secret": "api", "key": "token"}})
    with stage.controller():
        old.until("production", version="1.0", token="hush")
        inventory = old.record().inventory
        with constant_load(old, "production") as load:
            stage.repository.commit({deployment_file(FAR): settings(ELSEWHERE, TOKEN={"secret": "api", "key": "token"})})
            eventually(lambda: f"moves to target {ELSEWHERE}" in old.conditions(), old.log)
            eventually(lambda: "Secret api has no key token" in far.conditions(), lambda: f"{far.conditions()}\n{far.log()}")
            assert old.record().inventory == inventory
            assert inventory <= old.objects().keys()
        make_secret(far)
        far.until("production", version="1.0", token="hush")
        eventually(lambda: is_gone(old), lambda: f"{old.conditions()}\n{old.log()}")
        assert far.said("production")["version"] == "1.0"
    assert load.faults == []


def test_leaving_a_dead_cluster_waits_for_nothing_and_ends_when_it_is_back(stage: Stage, far: Stage) -> None:
    release(stage, "1.0", target=ELSEWHERE)
    new = stage.of(FAR)
    with stage.controller():
        far.until("production", version="1.0")
        with far.testbed.parts().silent_api():
            stage.repository.commit({deployment_file(FAR): settings(None)})
            new.until("production", version="1.0")
            assert far.said("production")["version"] == "1.0"
        eventually(lambda: is_gone(far), lambda: f"{far.conditions()}\n{far.log()}")
        assert new.said("production")["version"] == "1.0"


def test_what_a_target_keeps_that_left_the_configuration(stage: Stage, far: Stage, tmp_path: Path) -> None:
    """It serves on, is held by name, and somebody with a kubeconfig ends it."""
    release(stage, "1.0", target=ELSEWHERE)
    with stage.controller():
        far.until_applied(release(stage, "2.0", target=ELSEWHERE))
    stage.beside.remove(far)
    try:
        with stage.controller():
            stage.until_applied(release(stage, "3.0", target=ELSEWHERE))
            eventually(lambda: "PM604" in stage.logs[-1].read_text(), stage.log)
            assert far.said("production")["version"] == "2.0"
            with caretaker(far, tmp_path) as person:
                assert person.types("forget", FAR, "--yes").code == 0
            assert is_gone(far)
            assert stage.said("production")["version"] == "3.0"
    finally:
        stage.beside.append(far)


def test_orphans_are_taken_up_again_as_they_are(stage: Stage, tmp_path: Path) -> None:
    """Somebody forgot a deployment that git declares: the next controller finds what runs, and restarts nothing."""
    with stage.controller():
        stage.until_applied(stage.repository.release("1.0"))
    with caretaker(stage, tmp_path) as person:
        assert person.types("forget", DEPLOYMENT, "--orphan", "--yes").code == 0
    pods, objects = stage.pods().keys(), stage.objects().keys()
    with constant_load(stage, "production") as load, stage.controller():
        eventually(lambda: stage.record().applied, lambda: f"{stage.conditions()}\n{stage.log()}")
        assert objects <= stage.record().inventory
        stage.until_applied(stage.repository.release("2.0"))
        eventually(lambda: not pods & stage.pods().keys() or "2.0" in str(stage.said("production")), stage.conditions)
    assert load.faults == []


def release(stage: Stage, version: str, *, target: str | None, environment: dict[str, object] | None = None) -> str:
    """The same version in both deployments, by one commit."""
    files = {
        deployment_file(FAR): settings(target, **(environment or {})),
        alias_file(deployment=FAR): {"version": version},
        deployment_file(): {"rollout": ROLLOUT},
        version_file(version): {},
    }
    return stage.repository.release(version, **files)


def settings(target: str | None, **environment: object) -> dict[str, object]:
    return {"rollout": ROLLOUT, "environment": environment, **({"target": target} if target else {})}


def make_secret(here: Stage) -> None:
    """As a person does, who also makes the namespace if nobody has."""
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": here.namespace}}
    if here.client.get(ObjectKey("Namespace", "", here.namespace)) is None:
        here.client.apply(namespace, manager="somebody")
    metadata = {"name": "api", "namespace": here.namespace}
    data = {"token": base64.b64encode(b"hush").decode()}
    here.client.apply({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data}, manager="somebody")


def is_gone(here: Stage) -> bool:
    """Whether neither the record of a deployment is left nor anything that names it."""
    mine = [key for key, obj in here.objects().items() if annotation(obj, labels.UNIT_NAME) == str(here.unit)]
    return not mine and here.record().resource_version is None


@contextmanager
def caretaker(here: Stage, directory: Path) -> Iterator[Person]:
    """Somebody who may remove what was left on the cluster of `here`, in a checkout."""
    roles = ("pointsman-viewer", "pointsman-caretaker")
    with somebody(here.testbed.kubeconfig, here.installation.namespace, roles, directory, here.repository.root) as person:
        yield person

"""What people do to a Kubernetes target with their own kubeconfig, under the roles that are shipped for them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from controller.model import labels
from controller.model.identity import ObjectKey
from controller.model.objects import annotation, at
from tests.cluster.fixtures import Testbed
from tests.cluster.people import Person, somebody
from tests.cluster.stage import Stage, eventually, staged
from tests.system.repository import DEPLOYMENT, alias_file, deployment_file

pytestmark = pytest.mark.cluster
VIEWER, PLANNER = "pointsman-viewer", "pointsman-planner"
OPERATOR, CARETAKER = "pointsman-operator", "pointsman-caretaker"
Hire = Callable[..., Person]


@pytest.fixture(scope="module")
def stage(testbed: Testbed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A deployment with one version, served once; each test runs a controller if it needs one."""
    with staged(testbed, tmp_path_factory.mktemp("people")) as found:
        found.repository.release("v1")
        commit = found.repository.release("v2", "staging")
        with found.controller():
            found.until_applied(commit)
        yield found


@pytest.fixture
def hire(stage: Stage, tmp_path: Path) -> Iterator[Hire]:
    """Somebody with some of the shipped roles, in the repository unless told otherwise."""
    with ExitStack() as opened:

        def hired(*roles: str, place: Path | None = None) -> Person:
            admin, home = stage.testbed.kubeconfig, stage.installation.namespace
            return opened.enter_context(somebody(admin, home, roles, tmp_path, place or stage.repository.root))

        yield hired


def test_a_viewer_sees_what_serves_and_changes_nothing(stage: Stage, hire: Hire) -> None:
    viewer = hire(VIEWER)
    shown = viewer.types("status", "-o", "json")
    assert (shown.code, shown.err) == (0, "")
    [unit] = shown.json["units"]
    assert (unit["deployment"], unit["health"]) == (DEPLOYMENT, "Healthy")
    assert {a["name"]: (a["version"], a["wants"]) for a in unit["aliases"]} == {
        "production": ("v1", "v1"),
        "staging": ("v2", "v2"),
    }
    assert unit["aliases"][0]["endpoints"][0]["url"].endswith(stage.path("production"))
    assert viewer.types("status", "--wait", "--timeout", "3m").code == 0
    assert [row["version"] for row in viewer.types("history", f"{DEPLOYMENT}/production", "-o", "json").json] == ["v1"]
    assert viewer.types("logs", "production", "--tail", "1").out == "echo starts\n"
    assert viewer.types("logs", "production", "--since", "1h").out == "echo starts\n"
    before = stage.record()
    for command in (["pin", "production", "v2"], ["suspend", DEPLOYMENT], ["reconcile"], ["restart", DEPLOYMENT]):
        refused = viewer.types(*command)
        assert refused.code == 1, command
        assert "Traceback" not in refused.err
        assert "patch" in refused.err
    assert stage.record() == before


def test_one_namespace_is_enough(stage: Stage, hire: Hire, tmp_path: Path) -> None:
    nobody = hire(place=tmp_path)
    refused = nobody.types("status")
    assert refused.code == 1
    assert "-n NAMESPACE" in refused.out + refused.err
    with nobody.bound(VIEWER, stage.testbed.kubeconfig, stage.namespace):
        assert nobody.types("status", "-n", stage.namespace, "-o", "name").out.splitlines() == [
            f"{DEPLOYMENT}/production",
            f"{DEPLOYMENT}/staging",
        ]
        here = replace(nobody, directory=stage.repository.root)
        assert "Healthy" in here.types("status").out


def test_a_commit_that_no_controller_has_seen_is_waited_for_and_then_serves(stage: Stage, hire: Hire) -> None:
    viewer = hire(VIEWER)
    commit = stage.repository.move("v2")
    try:
        waited = viewer.types("status", "--wait", "--timeout", "3s")
        assert waited.code == 1
        assert waited.err.splitlines()[-1].startswith("error: timed out")
        with stage.controller():
            served = viewer.types("status", "--wait", "--revision", commit, "--timeout", "2m")
            assert (served.code, served.err.splitlines()[-1]) == (0, f"main@{commit[:10]} serves")
            assert stage.said("production")["version"] == "v2"
            stage.repository.commit({"README.md": "nothing that concerns a deployment"})
            assert viewer.types("status", "--wait", "--timeout", "3m").code == 0
            declared = (stage.repository.root / deployment_file()).read_text()
            stage.repository.commit({deployment_file(): f"# words alone\n{declared}"})
            assert viewer.types("status", "--wait", "--timeout", "3m").code == 0
    finally:
        back = stage.repository.move("v1")
        with stage.controller():
            stage.until_applied(back)


def test_a_first_release_is_waited_for_by_its_name(testbed: Testbed, tmp_path: Path) -> None:
    """Before any controller has written a record of it; what git does not declare is an error at once."""
    with ExitStack() as opened:
        fresh = opened.enter_context(staged(testbed, tmp_path))
        fresh.repository.release("v1")
        admin, home = testbed.kubeconfig, fresh.installation.namespace
        viewer = opened.enter_context(somebody(admin, home, (VIEWER,), tmp_path, fresh.repository.root))
        names = (DEPLOYMENT, f"{DEPLOYMENT}/production")
        for name in names:
            waited = viewer.types("status", name, "--wait", "--timeout", "1s")
            assert (waited.code, "no controller has looked at it yet" in waited.last_word) == (1, True), waited.err
        refused = viewer.types("status", "lcoal", "--wait")
        assert (refused.code, "there is no deployment `lcoal`" in refused.err) == (1, True), refused.err
        with fresh.controller():
            for name in names:
                served = viewer.types("status", name, "--wait", "--timeout", "3m")
                assert (served.code, served.last_word.endswith(" serves")) == (0, True), served.err


def test_a_plan_by_the_controllers_configuration(stage: Stage, hire: Hire) -> None:
    """What the controller left is what it would do: nothing; a moved alias is something. The caller may read no Secret."""
    planner = hire(VIEWER, PLANNER)
    with stage.controller():
        pass
    config = str(stage.directory / "controller.yaml")
    done = planner.types("plan", "--config", config, "--exit-code")
    assert (done.code, "nothing to do" in done.out) == (0, True), done.out + done.err
    stage.repository.write(alias_file(), {"version": "v2"})
    try:
        done = planner.types("plan", "--config", config, "--exit-code")
        assert (done.code, "production/say" in done.out) == (2, True), done.out + done.err
    finally:
        stage.repository.git("checkout", "--", alias_file())
    assert "--config" in planner.types("plan").err


def test_a_plan_says_what_a_clean_up_would_delete_where_one_is_configured(stage: Stage, hire: Hire) -> None:
    """With the rights of a planner alone: records, workloads and the controller's memory may be read."""
    planner = hire(VIEWER, PLANNER)
    configured = stage.directory / "controller.yaml"
    document = json.loads(configured.read_text())
    assert "clean-up" not in planner.types("plan", "--config", str(configured)).out
    for target in document["targets"].values():
        target["registry"]["cleanUp"] = {"keep": "30d"}
    config = stage.directory / "with-clean-up.yaml"
    config.write_text(json.dumps(document))
    for form, words in (("text", "clean-up of "), ("markdown", "### Clean-up of `")):
        done = planner.types("plan", "--config", str(config), "-o", form)
        assert words in done.out, done.out + done.err
        assert "0 to delete" in done.out
    found = planner.types("plan", "--config", str(config), "-o", "json").json["cleanUp"]
    assert (found["blocked"], found["goes"], found["keep"]) == (None, [], "30d")
    assert found["kept"] >= 2


def test_an_operator_pins_suspends_restarts_and_asks_again(stage: Stage, hire: Hire) -> None:
    operator = hire(VIEWER, OPERATOR)
    with stage.controller():
        assert operator.types("pin", "production", "v2").out == f"{DEPLOYMENT}: production is pinned to v2\n"
        stage.until("production", version="v2")
        shown = operator.types("status", f"{DEPLOYMENT}/production", "-o", "json").json
        assert shown["units"][0]["aliases"][0]["pinned"] == "v2"
        assert operator.types("unpin", "production").code == 0
        stage.until("production", version="v1")

        assert operator.types("suspend", DEPLOYMENT, "-m", "load test").code == 0
        waited = operator.types("status", "--wait", "--timeout", "3m")
        assert (waited.code, "load test" in waited.err) == (1, True)
        assert operator.types("resume", DEPLOYMENT).code == 0
        assert operator.types("status", "--wait", "--timeout", "3m").code == 0

        pods = stage.pods().keys()
        assert operator.types("restart", DEPLOYMENT, "--version", "v1").out == "v1/say is restarted\n"
        eventually(lambda: not pods >= stage.pods().keys())

        assert operator.types("reconcile", DEPLOYMENT).code == 0
        record = stage.client.get(ObjectKey("ConfigMap", stage.namespace, stage.unit.record_name))
        assert record is not None
        assert annotation(record, labels.REQUESTED)


def test_adopting_what_lies_under_one_of_our_names(stage: Stage, hire: Hire) -> None:
    caretaker = hire(VIEWER, CARETAKER)
    metadata = {"name": "legacy", "namespace": stage.namespace}
    ports = [{"port": 80, "targetPort": 8000}]
    foreign = {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"ports": ports}}
    stage.client.apply(foreign, manager="somebody-else")
    key = ObjectKey("Service", stage.namespace, "legacy")

    def owner() -> str | None:
        found = stage.client.get(key)
        return annotation(found, labels.UNIT_NAME) if found else None

    try:
        asked = caretaker.types("adopt", str(key), "-d", DEPLOYMENT)
        assert (asked.code, owner()) == (1, None)
        tried = caretaker.types("adopt", str(key), "-d", DEPLOYMENT, "--dry-run")
        assert (tried.code, owner()) == (0, None)
        assert "somebody-else" in tried.err
        assert caretaker.types("adopt", str(key), "-d", DEPLOYMENT, "--yes").code == 0
        assert owner() == str(stage.unit)
        assert at(stage.client.get(key) or {}, "spec", "ports", 0, "targetPort") == 8000
        again = caretaker.types("adopt", str(key), "-d", DEPLOYMENT, "--yes")
        assert (again.code, "already" in again.err) == (1, True)
    finally:
        stage.client.delete(key)


def test_forgetting_a_deployment_that_nobody_looks_after(testbed: Testbed, tmp_path: Path) -> None:
    with staged(testbed, tmp_path) as stage, ExitStack() as opened:
        commit = stage.repository.release("v1")
        with stage.controller():
            stage.until_applied(commit)
        admin, home = testbed.kubeconfig, stage.installation.namespace
        hired = somebody(admin, home, [VIEWER, CARETAKER], tmp_path, tmp_path)
        caretaker = opened.enter_context(hired)
        unit = str(stage.unit)
        listed = caretaker.types("forget", unit, "--dry-run")
        assert listed.code == 0
        assert listed.out.splitlines()[0].startswith("- HTTPRoute/")
        before = stage.record()
        assert caretaker.types("forget", unit).code == 1
        assert stage.record() == before

        kept = next(key for key in stage.objects("ServiceAccount"))
        protect(stage, kept)
        done = caretaker.types("forget", unit, "--yes")
        assert (done.code, done.out.splitlines()[-1]) == (0, f"{unit} is forgotten")
        assert stage.objects().keys() == {kept}
        assert stage.record().resource_version is None


def test_orphans_go_on_running(testbed: Testbed, tmp_path: Path) -> None:
    with staged(testbed, tmp_path) as stage, ExitStack() as opened:
        commit = stage.repository.release("v1")
        with stage.controller():
            stage.until_applied(commit)
        admin, home = testbed.kubeconfig, stage.installation.namespace
        caretaker = opened.enter_context(somebody(admin, home, [VIEWER, CARETAKER], tmp_path, stage.repository.root))
        objects = stage.objects().keys()
        assert caretaker.types("forget", DEPLOYMENT, "--orphan", "--yes").code == 0
        assert stage.record().resource_version is None
        assert stage.objects().keys() == objects
        assert stage.said("production")["version"] == "v1"


def protect(stage: Stage, key: ObjectKey) -> None:
    """An annotation that somebody puts on an object which is to stay."""
    metadata = {"name": key.name, "namespace": key.namespace, "annotations": {labels.PRUNE: labels.DISABLED}}
    stage.client.apply({"apiVersion": "v1", "kind": key.kind, "metadata": metadata}, manager="somebody")

"""What people change by hand is put back and named, unless they say that it is to stay; somebody else's is never touched."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from controller.cli.running.cluster_target import lease_name
from controller.cluster.paths import object_path
from controller.model import labels
from controller.model.identity import ObjectKey
from controller.model.objects import Object, annotation, at, key_of, label
from controller.model.routes import backend_of, version_of
from tests.cluster import api
from tests.cluster.fixtures import Testbed
from tests.cluster.load import constant_load
from tests.cluster.people import somebody
from tests.cluster.stage import Stage, eventually, staged
from tests.system.repository import DEPLOYMENT, version_file

pytestmark = pytest.mark.cluster
HAND = "kubectl-edit"
MERGE, STRATEGIC, JSON = (f"application/{kind}+json" for kind in ("merge-patch", "strategic-merge-patch", "json-patch"))
ROLLOUT = {"deadline": "2m", "keepWarm": "0s"}


@pytest.fixture(scope="module")
def stage(testbed: Testbed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Two versions, an alias to the first, and a controller."""
    with staged(testbed, tmp_path_factory.mktemp("drift")) as found:
        found.repository.configure(rollout=ROLLOUT, environment={"COLOR": "red"})
        found.repository.release("1.0")
        commit = found.repository.release("2.0", "staging")
        with found.controller():
            found.until_applied(commit)
            yield found


@dataclass(frozen=True)
class Edit:
    """What somebody does to an object, and the field by which it is told."""

    of: Callable[[Stage], Object]
    patch: Any
    path: tuple[str | int, ...]
    how: str = MERGE

    @property
    def field(self) -> str:
        return ".".join(str(step) for step in self.path)


def workload(stage: Stage) -> Object:
    return stage.workload("1.0")


def service(stage: Stage) -> Object:
    return beside(stage, "Service", "1.0")


def beside(stage: Stage, kind: str, version: str) -> Object:
    """The object of a kind that has the name of a version's workload."""
    name = stage.workload(version)["metadata"]["name"]
    return stage.objects(kind)[ObjectKey(kind, stage.namespace, name)]


def alias_route(stage: Stage) -> Object:
    routes = stage.objects("HTTPRoute").values()
    return next(route for route in routes if annotation(route, labels.ALIAS) == "production")


def version_route(stage: Stage) -> Object:
    """The route of a version's own URL."""
    routes = stage.objects("HTTPRoute").values()
    return next(route for route in routes if not annotation(route, labels.ALIAS) and version_of(route) == "1.0")


CONTAINER = ("spec", "template", "spec", "containers", 0)
EDITS = {
    "scaled": Edit(workload, {"spec": {"replicas": 3}}, ("spec", "replicas")),
    "another image": Edit(
        workload,
        {"spec": {"template": {"spec": {"containers": [{"name": "endpoint", "image": "registry.example.com/mine:1"}]}}}},
        (*CONTAINER, "image"),
        STRATEGIC,
    ),
    "another port": Edit(
        service,
        [{"op": "replace", "path": "/spec/ports/0/targetPort", "value": 9}],
        ("spec", "ports", 0, "targetPort"),
        JSON,
    ),
    "a label": Edit(service, {"metadata": {"labels": {labels.WORKLOAD: "mine"}}}, ("metadata", "labels", labels.WORKLOAD)),
    "a route's header": Edit(
        alias_route,
        [{"op": "replace", "path": "/spec/rules/0/matches/0/path/value", "value": "/elsewhere"}],
        ("spec", "rules", 0, "matches", 0, "path", "value"),
        JSON,
    ),
    "a share of the traffic": Edit(
        alias_route,
        [{"op": "add", "path": "/spec/rules/0/backendRefs/-", "value": {"name": "theirs", "port": 80, "weight": 1}}],
        ("spec", "rules", 0, "backendRefs", 1),
        JSON,
    ),
    "a second rule": Edit(
        version_route,
        [{"op": "add", "path": "/spec/rules/-", "value": {"backendRefs": [{"name": "theirs", "port": 80}]}}],
        ("spec", "rules", 1),
        JSON,
    ),
    "only some requests": Edit(
        version_route,
        [{"op": "add", "path": "/spec/rules/0/matches/0/headers", "value": [{"name": "x-theirs", "value": "yes"}]}],
        ("spec", "rules", 0, "matches", 0, "headers"),
        JSON,
    ),
}


def test_a_variable_is_put_back_without_telling_its_value(stage: Stage) -> None:
    variables = at(workload(stage), *CONTAINER, "env")
    number = next(n for n, variable in enumerate(variables) if variable["name"] == "COLOR")
    path = (*CONTAINER, "env", number, "value")
    key = key_of(workload(stage))
    change = {"op": "replace", "path": "/" + "/".join(map(str, path)), "value": "hush-hush"}
    with constant_load(stage, "production") as load:
        patch(stage, key, [change], JSON)
        eventually(lambda: at(stage.client.get(key) or {}, *path) == "red", stage.log)
        [told] = eventually(lambda: corrections(stage, key, "env"), stage.log)
        stage.until("production", color="red")
    assert "*** → ***" in told
    assert "hush-hush" not in stage.logs[-1].read_text()
    assert load.faults == []


@pytest.mark.parametrize("name", EDITS)
def test_a_hand_edit_is_put_back_and_named(name: str, stage: Stage) -> None:
    edit = EDITS[name]
    before = edit.of(stage)
    key, wanted = key_of(before), at(before, *edit.path)
    patch(stage, key, edit.patch, edit.how)
    eventually(lambda: at(stage.client.get(key) or {}, *edit.path) == wanted, lambda: f"{stage.client.get(key)}\n{stage.log()}")
    told = eventually(lambda: corrections(stage, key, edit.field), stage.log)
    assert f"changed by {HAND} at 20" in told[-1]
    assert f"{edit.field} " in told[-1]
    assert f"→ {wanted or 'nothing'}" in told[-1]
    assert told[-1].startswith(f"{key.kind} {key.name}, ")
    words = told[-1].removeprefix(f"{key.kind} {key.name}, ")
    eventually(lambda: words in stage.logs[-1].read_text(), stage.log)
    stage.until("production", version="1.0", color="red")


def test_a_route_that_was_led_elsewhere_comes_back(stage: Stage) -> None:
    route, other = alias_route(stage), stage.workload("2.0")["metadata"]["name"]
    key, own = key_of(route), backend_of(route)
    patch(stage, key, [{"op": "replace", "path": "/spec/rules/0/backendRefs/0/name", "value": other}], JSON)
    eventually(lambda: backend_of(stage.client.get(key) or {}) == own, lambda: f"{stage.conditions()}\n{stage.log()}")
    [told] = eventually(lambda: corrections(stage, key, "backendRefs.0.name"), stage.log)
    assert f"{other} → {own}" in told
    stage.until("production", version="1.0")


@pytest.mark.parametrize("of", [service, alias_route, workload])
def test_what_somebody_deletes_or_unlabels_is_there_again(of: Callable[[Stage], Object], stage: Stage) -> None:
    key = key_of(of(stage))
    patch(stage, key, {"metadata": {"labels": {labels.MANAGED_BY: None}}})
    eventually(lambda: label(stage.client.get(key) or {"metadata": {}}, labels.MANAGED_BY) == "pointsman", stage.log)
    [told] = eventually(lambda: corrections(stage, key, labels.MANAGED_BY), stage.log)
    assert told.endswith(f"metadata.labels.{labels.MANAGED_BY} nothing → pointsman")
    uid = (stage.client.get(key) or {})["metadata"]["uid"]
    stage.client.delete(key)
    eventually(lambda: at(stage.client.get(key) or {}, "metadata", "uid", default=uid) != uid, stage.log)
    [told] = eventually(lambda: corrections(stage, key, "deleted", reason="Recreated"), stage.log)
    assert told == f"{key.kind} {key.name}, deleted by somebody, made again"
    assert f"{key} of {stage.unit}: deleted by somebody, made again" in stage.logs[-1].read_text()
    stage.until("production", version="1.0")


def test_an_event_names_the_process_that_leads(stage: Stage) -> None:
    name = lease_name(stage.installation.name, stage.target)
    lease = stage.client.get(ObjectKey("Lease", stage.installation.namespace, name)) or {}
    writers = eventually(lambda: {e.get("reportingInstance") for e in events(stage, stage.namespace) if is_ours(e)}, stage.log)
    assert writers == {lease["spec"]["holderIdentity"]}


def test_an_object_is_left_as_it_is_while_somebody_says_so(stage: Stage) -> None:
    key = key_of(workload(stage))
    patch(stage, key, {"metadata": {"annotations": {labels.RECONCILE: labels.DISABLED}}, "spec": {"replicas": 2}})
    stage.until_applied(stage.repository.configure(rollout=ROLLOUT, environment={"COLOR": "red"}, idle={"replicas": 2}))
    eventually(lambda: at(stage.workload("2.0"), "status", "readyReplicas") == 1, stage.conditions)
    assert at(stage.client.get(key) or {}, "spec", "replicas") == 2
    patch(stage, key, {"metadata": {"annotations": {labels.RECONCILE: None}}})
    eventually(lambda: at(stage.client.get(key) or {}, "spec", "replicas") == 1, stage.log)


def test_an_object_that_is_not_to_be_pruned_outlives_its_version(stage: Stage) -> None:
    stage.until_applied(stage.repository.release("3.0", None))
    name = stage.workload("3.0")["metadata"]["name"]
    keys = {key for key in stage.objects() if key.name == name}
    kept = ObjectKey("Service", stage.namespace, name)
    patch(stage, kept, {"metadata": {"annotations": {labels.PRUNE: labels.DISABLED}}})
    stage.repository.commit({version_file("3.0"): {"enabled": False}})
    eventually(lambda: keys & stage.objects().keys() == {kept}, lambda: f"{stage.conditions()}\n{stage.log()}")
    patch(stage, kept, {"metadata": {"annotations": {labels.PRUNE: None}}})
    eventually(lambda: kept not in stage.objects(), lambda: f"{stage.conditions()}\n{stage.log()}")


def test_a_fight_is_noticed_named_and_left_to_the_other_for_a_while(stage: Stage) -> None:
    key, edit = key_of(service(stage)), {"metadata": {"labels": {labels.WORKLOAD: "mine"}}}
    own = stage.workload("1.0")["metadata"]["name"]

    def is_over() -> bool:
        if label(stage.client.get(key) or {}, labels.WORKLOAD) == own:
            patch(stage, key, edit, manager="another-operator")
        return "was set right 5 times within 60 s" in stage.conditions()

    eventually(is_over, stage.conditions)
    assert "is changed again by" in stage.conditions()
    assert "another-operator" in stage.conditions()
    assert label(stage.client.get(key) or {}, labels.WORKLOAD) == "mine"
    eventually(lambda: label(stage.client.get(key) or {}, labels.WORKLOAD) == own, stage.conditions)
    eventually(lambda: "set right" not in stage.conditions(), stage.conditions)


def test_a_foreign_object_under_our_name_is_not_touched_until_it_is_adopted(testbed: Testbed, tmp_path: Path) -> None:
    with staged(testbed, tmp_path) as stage:
        stage.repository.release("1.0")
        with stage.controller():
            stage.until_applied(stage.repository.release("2.0", None))
        key = key_of(beside(stage, "Service", "2.0"))
        stage.client.delete(key)
        metadata = {"name": key.name, "namespace": key.namespace}
        spec = {"ports": [{"port": 80, "targetPort": 9}], "selector": {"app": "theirs"}}
        stage.client.apply({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}, manager="helm")
        theirs = stage.client.get(key)
        with stage.controller(), caretaker(stage, tmp_path) as types:
            eventually(lambda: str(key) in stage.conditions(), stage.log)
            assert "never overwritten" in stage.conditions()
            assert stage.client.get(key) == theirs
            stage.until("production", version="1.0")
            assert types("adopt", str(key), "-d", DEPLOYMENT, "--yes") == 0
            eventually(lambda: at(stage.client.get(key) or {}, "spec", "ports", 0, "targetPort") != 9, stage.conditions)
            eventually(lambda: "Ready=True" in stage.conditions(), lambda: f"{stage.conditions()}\n{stage.log()}")
            stage.until("2.0", version="2.0")


def patch(stage: Stage, key: ObjectKey, body: Any, how: str = MERGE, manager: str = HAND) -> None:
    """Change an object as kubectl does."""
    with api.opened(stage.testbed.kubeconfig) as cluster:
        status, answer = cluster.ask("PATCH", f"{object_path(key)}?fieldManager={manager}", body, how)
    assert status == 200, answer


def corrections(stage: Stage, key: ObjectKey, field: str, reason: str = "Corrected") -> list[str]:
    """What the Events about an object say of a field of it that was put back, or of the object."""
    about = [
        event for event in events(stage, key.namespace) if event["reason"] == reason and event["regarding"]["name"] == key.name
    ]
    return [event["note"] for event in about if event["regarding"]["kind"] == key.kind and field in event["note"]]


def events(stage: Stage, namespace: str) -> list[Any]:
    with api.opened(stage.testbed.kubeconfig) as cluster:
        found: list[Any] = cluster.get(f"/apis/events.k8s.io/v1/namespaces/{namespace}/events")["items"]
    return found


def is_ours(event: Object) -> bool:
    return bool(event.get("reportingController") == "pointsman.dev/controller")


@contextmanager
def caretaker(stage: Stage, directory: Path) -> Iterator[Callable[..., int]]:
    """Somebody who may give objects away types commands; each gives its exit code."""
    roles = ("pointsman-viewer", "pointsman-caretaker")
    with somebody(stage.testbed.kubeconfig, stage.installation.namespace, roles, directory, stage.repository.root) as person:
        yield lambda *arguments: person.types(*arguments).code

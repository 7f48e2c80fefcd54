"""What somebody else changed is put back, and told: which field, from what to what, by whom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench.declared_repository import Shape
from controller.engine.drift import Drift, drifts
from controller.engine.failing import conditions_of_failure
from controller.engine.happenings import of_conditions, of_drifts, of_facts
from controller.model import labels
from controller.model.changes import Change, FieldChange, Operation
from controller.model.conditions import Condition
from controller.model.errors import Forbidden, Unavailable
from controller.model.identity import ObjectKey
from controller.model.record import Fact, FactKind
from controller.state.history import FileHistory
from tests.embedded.gateway.servers import eventually
from tests.engine.settling import settling

pytestmark = pytest.mark.system

KEY = ObjectKey("Service", "ns", "predict")
FIELD = FieldChange("spec.type", "LoadBalancer", "ClusterIP")


def observed(applied: str, *entries: Mapping[str, Any]) -> dict[str, Any]:
    meta = {"name": KEY.name, "annotations": {labels.APPLIED: applied}, "managedFields": list(entries)}
    return {"kind": KEY.kind, "metadata": meta}


def change(*fields: FieldChange) -> Change:
    return Change(Operation.UPDATE, KEY, "", observed("same"), fields or (FIELD,))


def entry(manager: str, time: str, fields: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"manager": manager, "operation": "Update", "time": time, "fieldsV1": fields}


def test_the_writer_is_who_owns_the_field_and_not_who_wrote_last() -> None:
    edit = entry("kubectl-edit", "2026-01-02T03:04:05Z", {"f:spec": {"f:type": {}}})
    later = entry("other", "2026-02-02T03:04:05Z", {"f:metadata": {"f:labels": {"f:x": {}}}})
    [drift] = drifts([change()], {KEY: observed("same", edit, later)})
    assert str(drift) == ("changed by kubectl-edit at 2026-01-02T03:04:05Z, put back: spec.type LoadBalancer → ClusterIP")


def test_an_item_of_a_list_and_a_key_with_dots_are_found() -> None:
    owned = {"f:spec": {"f:ports": {'k:{"port":80}': {"f:port": {}}}}, "f:metadata": {"f:annotations": {"f:a.b/c": {}}}}
    edit = entry("theirs", "now", owned)
    for path in ("spec.ports.0.port", "metadata.annotations.a.b/c"):
        [drift] = drifts([change(FieldChange(path, "1", "2"))], {KEY: observed("same", entry("x", "z", {}), edit)})
        assert drift.who == "theirs at now"


def test_what_was_removed_is_nobodys_and_our_own_changes_are_no_drift() -> None:
    assert [drift.who for drift in drifts([change()], {KEY: observed("same")})] == ["somebody"]
    assert list(drifts([change()], {KEY: observed("another")})) == []
    assert list(drifts([replace(change(), operation=Operation.CREATE)], {})) == []


def test_many_fields_are_counted_and_a_secret_shows_none() -> None:
    fields = tuple(FieldChange(f"spec.f{number}", "1", "2") for number in range(5))
    assert str(Drift(KEY, "x", fields)).endswith("spec.f2 1 → 2, and 2 more")
    secret = Drift(ObjectKey("Secret", "ns", "users"), "x", (FieldChange("data.a", "eA==", "eQ=="),))
    assert str(secret) == "changed by x, put back: data.a"
    assert [told.message for told in of_drifts([secret])] == ["Secret users, changed by x, put back: data.a"]


def test_a_hand_edit_is_put_back_and_told_in_the_history(tmp_path: Path) -> None:
    with settling(tmp_path, Shape(1, 1)) as made:
        made.settle()
        [unit] = made.units
        [service] = made.store.list("Service", labels={labels.UNIT: unit.hash}).items
        name = {"name": service["metadata"]["name"], "namespace": unit.namespace}
        theirs = {"apiVersion": "v1", "kind": "Service", "metadata": name, "spec": {"type": "LoadBalancer"}}
        made.sight.cache.note(made.store.apply(theirs, manager="their-operator"))
        made.run(unit)
    told = [event for event in FileHistory(tmp_path / "history").read(str(unit)) if event["event"] == "corrected"]
    assert [event["subject"] for event in told] == [f"Service/{unit.namespace}/{name['name']}"]
    assert "their-operator" in str(told[0]["message"])
    assert "spec.type LoadBalancer → ClusterIP" in str(told[0]["message"])


def test_a_share_of_a_routes_traffic_is_taken_back(tmp_path: Path) -> None:
    with settling(tmp_path, Shape(1, 1)) as made:
        made.settle()
        [unit] = made.units
        route, *_ = made.store.list("HTTPRoute", labels={labels.UNIT: unit.hash}).items
        rule, name = route["spec"]["rules"][0], route["metadata"]["name"]
        backends = [*rule["backendRefs"], {"name": "theirs", "port": 80, "weight": 1}]
        spec = {**route["spec"], "rules": [{**rule, "backendRefs": backends}]}
        kept = {"name": name, "namespace": unit.namespace}
        theirs = {"apiVersion": route["apiVersion"], "kind": "HTTPRoute", "metadata": kept, "spec": spec}
        made.sight.cache.note(made.store.apply(theirs, manager="their-operator"))
        made.run(unit)
        after = made.store.get(ObjectKey("HTTPRoute", unit.namespace, name)) or {}
    assert after["spec"] == route["spec"]
    [told] = [event for event in FileHistory(tmp_path / "history").read(str(unit)) if event["event"] == "corrected"]
    assert "their-operator" in str(told["message"])
    assert str(told["message"]).endswith(f"spec.rules.0.backendRefs.1 {backends[1]} → nothing")


def test_a_deletion_is_told_of_what_was_seen_and_of_nothing_else() -> None:
    created = replace(change(), operation=Operation.CREATE)
    [drift] = drifts([created], {}, {KEY})
    [told] = of_drifts([drift])
    assert (told.reason, told.is_warning, told.about) == ("Recreated", True, KEY)
    assert told.message == "Service predict, deleted by somebody, made again"
    assert list(drifts([created], {}, {ObjectKey("Service", "ns", "other")})) == []


def test_what_somebody_deletes_is_made_again_and_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with settling(tmp_path, Shape(1, 1)) as made:
        made.settle()
        [unit] = made.units
        [service] = made.store.list("Service", labels={labels.UNIT: unit.hash}).items
        key = ObjectKey("Service", unit.namespace, service["metadata"]["name"])
        made.store.delete(key)
        assert eventually(lambda: made.sight.cache.lost() == {key})
        made.run(unit)
        assert made.store.get(key)
        assert made.sight.cache.lost() == frozenset()
        made.settle()
    told = [event for event in FileHistory(tmp_path / "history").read(str(unit)) if event["event"] == "recreated"]
    assert [(event["subject"], event["message"]) for event in told] == [(str(key), "deleted by somebody, made again")]
    assert f"{key} of {unit}: deleted by somebody, made again" in caplog.text


def test_a_refused_write_becomes_a_condition_that_stays_the_same() -> None:
    refused = Forbidden("may not patch Deployments", hint="give the role")
    first = conditions_of_failure("Deployment/a/b", refused, (), 1.0)
    assert [(c.type, c.status, c.reason) for c in first] == [
        ("Ready", "False", "WriteRefused"),
        ("Stalled", "True", "WriteRefused"),
    ]
    assert first[0].message == "Deployment/a/b: may not patch Deployments (give the role)"
    assert conditions_of_failure("Deployment/a/b", refused, first, 2.0) == first
    passing = conditions_of_failure("Deployment/a/b", Unavailable("no answer"), first, 3.0)
    assert [(c.type, c.since) for c in passing] == [("Ready", 1.0), ("Reconciling", 3.0)]


def condition(kind: str, status: str, reason: str = "Because") -> Condition:
    return Condition(kind, status, reason, "why", 0.0)


def test_only_transitions_are_told_and_a_new_unit_that_is_well_is_none() -> None:
    ready, broken = condition("Ready", "True"), condition("Ready", "False")
    assert list(of_conditions((), (ready,))) == []
    assert list(of_conditions((ready,), (ready,))) == []
    assert [h.is_warning for h in of_conditions((ready,), (broken,))] == [True]
    assert [h.is_warning for h in of_conditions((broken,), (ready,))] == [False]
    assert [h.message for h in of_conditions((), (broken,))] == ["Ready is False: why"]
    another = condition("Ready", "False", "Other")
    assert [h.reason for h in of_conditions((broken,), (another,))] == ["Other"]


def test_a_switch_is_told_of_its_route() -> None:
    route = {"kind": "HTTPRoute", "metadata": {"name": "r", "annotations": {labels.ALIAS: "production"}}}
    objects = {ObjectKey("HTTPRoute", "ns", "r"): route}
    [told] = of_facts([Fact(FactKind.CONFIRMED, "production", "w", "main", 0.0, "2.0")], objects)
    assert (told.reason, told.is_warning, told.about) == ("Switched", False, ObjectKey("HTTPRoute", "ns", "r"))
    assert told.message == "production → 2.0 is confirmed by the gateway"

"""What a person keeps out of Pointsman's hands, takes over by hand, or moves to another target."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controller.model import labels
from controller.model.changes import Operation
from controller.model.declared import Rollout
from controller.model.identity import ObjectKey
from controller.model.objects import annotation, put
from controller.model.observed import ObservedState
from controller.model.record import FactKind
from controller.plan.planner import plan
from tests.plan.world import UNIT, World, deployment

pytestmark = pytest.mark.pure
V1, V2 = "20181002.0", "20181003.0"
NOW = Rollout(keep_warm=0.0)


def serving() -> World:
    made = World()
    made.declare(deployment([V1], {"production": V1}, rollout=NOW))
    assert made.settle().is_settled
    return made


def annotate(made: World, key: ObjectKey, name: str) -> None:
    made.objects[key] = put(made.objects[key], labels.DISABLED, "metadata", "annotations", name)


def key_of_kind(made: World, kind: str, *, alias: bool = False) -> ObjectKey:
    return min(k for k, o in made.objects.items() if k.kind == kind and bool(annotation(o, labels.ALIAS)) is alias)


def test_what_is_left_alone_is_not_put_back_but_named() -> None:
    made = serving()
    key = key_of_kind(made, "Deployment")
    made.objects[key] = put(made.objects[key], 7, "spec", "replicas")
    assert [change.key for change in made.plan().changes] == [key]
    annotate(made, key, labels.RECONCILE)
    found = made.plan()
    assert found.changes == ()
    assert found.warnings == (f"{key} is left as it is: {labels.RECONCILE} is disabled on it",)


def test_an_alias_whose_route_is_left_alone_does_not_move_in_parts() -> None:
    made = serving()
    key = key_of_kind(made, "HTTPRoute", alias=True)
    annotate(made, key, labels.RECONCILE)
    made.declare(deployment([V1, V2], {"production": V2}, rollout=NOW))
    found = made.run()
    (hold,) = found.holds
    assert hold.reason == "ReconcileDisabled"
    assert hold.hint == f"kubectl annotate httproute -n {UNIT.namespace} {key.name} {labels.RECONCILE}-"
    assert set(made.alias("production").values()) == {V1}


def test_a_version_url_that_is_left_alone_stays_where_it_leads() -> None:
    made = serving()
    key = key_of_kind(made, "HTTPRoute")
    annotate(made, key, labels.RECONCILE)
    before = made.objects[key]
    made.declare(deployment([V1], {}, rollout=replace(NOW, deadline=60.0)), changed=(), release=True)
    made.run()
    assert made.objects[key] == before
    assert not [fact for fact in made.record.facts if fact.kind is FactKind.LEFT and fact.subject.startswith(V1)]


@pytest.mark.parametrize("name", [labels.PRUNE, labels.RECONCILE])
def test_what_must_not_be_pruned_stays_and_is_named(name: str) -> None:
    made = serving()
    made.declare(deployment([V1, V2], {"production": V2}, rollout=NOW))
    made.settle()
    key = next(k for k, o in sorted(made.objects.items()) if k.kind == "Deployment" and annotation(o, labels.VERSION) == V1)
    annotate(made, key, name)
    made.declare(deployment([V2], {"production": V2}, rollout=NOW))
    found = made.settle()
    assert key in made.objects
    assert f"{key} is no longer declared and stays: {name} is disabled on it" in found.warnings


def test_what_outlived_its_version_goes_once_nobody_keeps_it() -> None:
    made = serving()
    made.declare(deployment([V1, V2], {"production": V2}, rollout=NOW))
    made.settle()
    name = next(
        k.name for k, o in sorted(made.objects.items()) if k.kind == "Deployment" and annotation(o, labels.VERSION) == V1
    )
    key = ObjectKey("Service", UNIT.namespace, name)
    annotate(made, key, labels.PRUNE)
    made.declare(deployment([V2], {"production": V2}, rollout=NOW))
    made.settle()
    assert {k for k in made.objects if k.name == name} == {key}
    made.objects[key] = put(made.objects[key], None, "metadata", "annotations", labels.PRUNE)
    made.settle()
    assert key not in made.objects
    assert key not in made.record.inventory


def test_a_service_stays_while_a_route_leads_to_it_though_its_pods_were_deleted_by_hand() -> None:
    made = serving()
    made.declare(deployment([V1, V2], {"production": V1, "staging": V2}, rollout=NOW))
    made.settle()
    name = next(
        k.name for k, o in sorted(made.objects.items()) if k.kind == "Deployment" and annotation(o, labels.VERSION) == V1
    )
    del made.objects[ObjectKey("Deployment", UNIT.namespace, name)]
    made.declare(deployment([V2], {"staging": V2}, rollout=NOW))
    found = made.run()
    assert [hold.reason for hold in found.holds] == ["AliasRemoved"]
    assert ObjectKey("Service", UNIT.namespace, name) in made.objects


def test_an_adopted_object_is_taken_over_with_one_apply() -> None:
    fresh = World()
    fresh.declare(deployment([V1], {"production": V1}, rollout=NOW))
    created = next(c.desired for c in fresh.plan().changes if c.key.kind == "Service" and c.desired)
    bare = {**created, "metadata": {"name": created["metadata"]["name"], "namespace": UNIT.namespace, "uid": "u"}}
    key = ObjectKey("Service", UNIT.namespace, str(created["metadata"]["name"]))
    foreign = plan(fresh.desired(), ObservedState({key: bare}), fresh.record, fresh.now)
    assert str(key) in {failure.subject.name for failure in foreign.failures}
    adopted = put(bare, str(UNIT), "metadata", "annotations", labels.UNIT_NAME)
    found = plan(fresh.desired(), ObservedState({key: adopted}), fresh.record, fresh.now)
    (change,) = [c for c in found.changes if c.key == key]
    assert change.operation is Operation.UPDATE
    assert change.desired is not None
    assert annotation(change.desired, labels.APPLIED)
    assert key in found.inventory
    assert not found.failures


def test_a_deployment_that_moves_stays_until_it_is_ready_there_and_then_needs_no_release() -> None:
    made = serving()
    before = dict(made.objects)
    made.declare(None)
    made.moved_to = "eu-west"
    found = made.settle()
    assert [(g.reason, g.clock) for g in found.gates] == [("MovingToTarget", False)]
    assert not found.holds
    assert made.objects == before
    made.moved_ready = True
    found = made.settle()
    assert not found.holds
    assert {key.kind for key in made.objects} == {"Namespace"}


def test_a_deployment_that_merely_left_git_still_needs_its_release() -> None:
    made = serving()
    made.declare(None)
    assert [hold.reason for hold in made.settle().holds] == ["DeploymentRemoved"]

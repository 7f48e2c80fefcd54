"""Routes that a gateway does not take in, moves that the data plane does not confirm, and what a person reads of both."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controller.model import labels
from controller.model.declared import Rollout
from controller.model.objects import Object, annotation
from controller.plan.acceptance import ANSWER_TIME
from tests.plan.world import PROFILE, World, deployment

pytestmark = pytest.mark.pure
V1, V2 = "20181002.0", "20181003.0"
KUBERNETES = replace(
    PROFILE,
    kind="kubernetes",
    gateway_class="traefik.io/gateway-controller",
    gateway_namespace="gateways",
    listener="web",
    hostnames=("inference.example.com",),
)
GATEWAY = {
    "spec": {
        "listeners": [
            {"name": "web", "allowedRoutes": {"namespaces": {"selector": {"matchLabels": {"routes": "yes"}}}}},
            {"name": "other", "allowedRoutes": {"namespaces": {"selector": {"matchLabels": {"other": "yes"}}}}},
        ]
    }
}


def world() -> World:
    made = World()
    made.profile = KUBERNETES
    made.declare(deployment([V1], {"production": V1}, rollout=Rollout(deadline=30.0, keep_warm=0.0)))
    return made


def serving() -> World:
    made = world()
    assert made.settle().is_settled
    made.declare(deployment([V1, V2], {"production": V2}, rollout=Rollout(deadline=30.0, keep_warm=0.0)))
    return made


def aliases_only(route: Object) -> bool:
    return annotation(route, labels.ALIAS) is not None


@pytest.mark.parametrize(
    ("reason", "remedy"),
    [
        ("NotAllowedByListeners", "kubectl label namespace ruksi-mnist-20b2c1 routes=yes"),
        ("NoMatchingListenerHostname", "answers for inference.example.com"),
        ("NoMatchingParent", "Gateway gateways/pointsman has no listener web"),
        ("BackendNotFound", "BackendNotFound"),
    ],
)
def test_a_refused_route_keeps_the_alias_and_names_the_remedy(reason: str, remedy: str) -> None:
    made = serving()
    made.gateway = GATEWAY
    made.refused = lambda route: reason if not aliases_only(route) and annotation(route, labels.VERSION) == V2 else None
    found = made.run()
    (gate,) = [g for g in found.gates if g.reason == "RouteNotAccepted" and "predict" in g.message]
    assert remedy in gate.message
    assert set(made.alias("production").values()) == {V1}


def test_without_its_labels_the_remedy_names_the_listeners() -> None:
    made = world()
    made.refused = lambda route: "NotAllowedByListeners"
    assert any("see its listeners' `allowedRoutes`" in g.message for g in made.run().gates)


def test_a_refused_route_before_the_move_is_given_up_and_tried_again_when_it_is_accepted() -> None:
    made = serving()
    made.refused = lambda route: "NotAllowedByListeners" if annotation(route, labels.VERSION) == V2 else None
    made.run()
    made.now += 31
    assert {f.reason for f in made.run().failures} == {"GivenUp"}
    assert set(made.alias("production").values()) == {V1}


def test_a_missing_gateway_is_named() -> None:
    made = world()
    made.silent, made.gateway = True, {}
    assert any("Gateway gateways/pointsman does not exist" in g.message for g in made.run().gates)


def test_a_new_route_may_wait_for_its_answer_for_a_while_without_a_word_in_the_record() -> None:
    made = World()
    made.profile = KUBERNETES
    made.silent = True
    made.declare(deployment([V1], {}))
    found = made.run()
    assert found.is_settled
    assert {(g.reason, g.clock) for g in found.gates} == {("RouteNotAccepted", True)}
    assert made.record.facts == ()
    made.now += ANSWER_TIME + 1
    found = made.run()
    assert not found.is_settled
    assert any("no gateway has answered for this route yet" in g.message for g in found.gates)
    made.now += 601
    assert {f.reason for f in made.run().failures} == {"GivenUp"}
    made.silent = False
    assert made.settle().is_settled


def test_other_controllers_answers_do_not_count() -> None:
    made = world()
    made.run()
    routes = [key for key in made.objects if key.kind == "HTTPRoute"]
    observed = made.observed()
    for key in routes:
        status = {"parents": [{**p, "controllerName": "other"} for p in observed.objects[key]["status"]["parents"]]}
        made.objects[key] = {**made.objects[key], "status": status}
    made.silent = True
    made.now += ANSWER_TIME + 1
    assert any(g.reason == "RouteNotAccepted" for g in made.plan().gates)


def test_an_unconfirmed_move_drains_nothing_and_is_degraded_after_its_deadline() -> None:
    made = serving()
    made.confirming = False
    made.now += 2
    for _ in range(6):
        made.step()
    assert set(made.alias("production").values()) == {V2}
    assert {g.reason for g in made.plan().gates if not g.clock} == {"Confirming"}
    made.now += 31
    found = made.plan()
    assert {f.reason for f in found.failures} == {"NotConfirmed"}
    assert found.confirms, "it is asked on"
    assert not found.changes
    assert V1 in made.running()
    made.confirming = True
    assert made.settle().is_settled


def test_an_alias_route_that_is_refused_after_the_move_has_a_deadline_too() -> None:
    made = serving()
    made.refused = lambda route: "NotAllowedByListeners" if aliases_only(route) else None
    for _ in range(6):
        made.step()
    assert {g.reason for g in made.plan().gates if not g.clock} == {"RouteNotAccepted"}
    made.now += 31
    found = made.plan()
    assert {f.reason for f in found.failures} == {"NotConfirmed"}
    assert V1 in made.running()

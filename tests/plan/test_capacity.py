"""Room on the nodes: what never fits fails at once, what does not fit now waits, and the alias stays in both cases."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from controller.model import labels as names
from controller.model.declared import EndpointSettings, Rollout, Scale
from controller.model.objects import annotation, at
from controller.model.observed import NodeRoom
from controller.plan.capacity import asks_for_nodes
from controller.plan.patience import CAPACITY_DEADLINE
from tests.plan.world import World, deployment

pytestmark = pytest.mark.pure
V1, V2 = "20181002.0", "20181003.0"
GPU = {"devices": {"nvidia.com/gpu": 1}}
FREE = {"cpu": 4.0, "memory": 8e9, "nvidia.com/gpu": 0.0, "pods": 100.0}


def node(
    name: str = "a",
    *,
    free: Mapping[str, float] = FREE,
    labels: Mapping[str, str] | None = None,
    taints: tuple[Mapping[str, str], ...] = (),
    **more: float,
) -> NodeRoom:
    all_of_it = {"cpu": 4.0, "memory": 8e9, "nvidia.com/gpu": 2.0, "pods": 110.0, **more}
    return NodeRoom(name, labels or {}, taints, all_of_it, free)


def promoting(settings: EndpointSettings, *nodes: NodeRoom, strategy: str = "surge") -> World:
    """V1 serves; a commit promotes V2, whose pods find no node."""
    made = World()
    rollout = Rollout(keep_warm=0.0, strategy=strategy)
    made.declare(deployment([V1], {"production": V1}, rollout=rollout))
    made.settle()
    made.behaviour = lambda name: "pending" if "20181003" in name else "ready"
    made.nodes = nodes
    made.declare(deployment([V1, V2], {"production": V2}, settings=settings, rollout=rollout))
    return made


def sizes(made: World, version: str) -> set[int]:
    """How many replicas each workload of a version is to have."""
    found = [o for o in made.objects.values() if o["kind"] == "Deployment" and annotation(o, names.VERSION) == version]
    return {at(o, "spec", "replicas") for o in found}


ABSENT: list[tuple[dict[str, Any], NodeRoom, str]] = [
    ({"resources": {"devices": {"amd.com/gpu": 1}}}, node(), "needs 1 amd.com/gpu, and no node"),
    ({"node_selector": "pool=gpu"}, node(labels={"pool": "cpu"}), "no node is labelled pool=gpu"),
    ({}, node(taints=({"key": "gpu", "effect": "NoSchedule"},)), "every node has a taint that it does not tolerate"),
]
"""Settings, the only node, and what is said of it."""


@pytest.mark.parametrize(
    ("settings", "found", "words"),
    [
        (
            {"resources": {"memory": {"min": 64_000}}},
            node(),
            "needs 64 GB memory, and no node that it may run on has more than 8 GB memory",
        ),
        ({"resources": {"cpu": {"min": 4.5}}}, node(), "needs 4.5 CPU, and no node that it may run on has more than 4 CPU"),
        ({"resources": {"devices": {"nvidia.com/gpu": 3}}}, node(), "needs 3 nvidia.com/gpu, and no node"),
    ],
)
def test_what_no_node_could_hold_fails_at_once(settings: dict[str, Any], found: NodeRoom, words: str) -> None:
    made = promoting(EndpointSettings(**settings), found)
    (failure, *_) = [f for f in made.run().failures if f.subject.kind == "alias"]
    assert failure.reason == "DoesNotFit"
    assert words in failure.message
    assert set(made.alias("production").values()) == {V1}


@pytest.mark.parametrize(("settings", "found", "words"), ABSENT)
def test_where_no_node_is_of_its_kind_it_waits_with_a_pod_that_an_autoscaler_sees(
    settings: dict[str, Any], found: NodeRoom, words: str
) -> None:
    made = promoting(EndpointSettings(**settings), found)
    told = [g for g in made.plan().gates if g.subject.kind == "alias"]
    assert {g.reason for g in told} == {"WaitingForCapacity"}
    assert all(words in g.message and "a node that the cluster may add" in g.message for g in told)
    found_later = made.run()
    assert not found_later.failures
    assert not any("recreate}" in g.message for g in found_later.gates)
    assert sizes(made, V2) == {1}
    assert set(made.alias("production").values()) == {V1}
    made.now += CAPACITY_DEADLINE + 1
    assert {f.reason for f in made.run().failures} == {"GivenUp"}


@pytest.mark.parametrize(("settings", "found", "words"), ABSENT)
def test_nothing_is_stopped_for_a_node_that_may_come(settings: dict[str, Any], found: NodeRoom, words: str) -> None:
    made = promoting(EndpointSettings(**settings), found, strategy="recreate")
    failures = [f for f in made.run().failures if f.subject.kind == "alias"]
    assert {f.reason for f in failures} == {"DoesNotFit"}
    assert all(words in f.message and "what serves is not stopped" in f.message for f in failures)
    assert all(made.ready(name) == 1 for name in made.objects_of(V1, "predict"))


def test_where_nothing_serves_recreate_waits_for_a_node_too() -> None:
    made = World()
    made.nodes, made.behaviour = (node(),), lambda name: "pending"
    settings = EndpointSettings(node_selector="pool=gpu")
    made.declare(deployment([V1], {"production": V1}, settings=settings, rollout=Rollout(strategy="recreate")))
    assert not made.run().failures
    assert sizes(made, V1) == {1}


def test_the_nodes_are_asked_for_before_what_serves_is_stopped() -> None:
    made = promoting(EndpointSettings(), strategy="recreate")
    made.nodes = None
    for _ in range(20):
        found = made.plan()
        if any(field.path == "spec.replicas" and field.new == "0" for c in found.changes for field in c.fields):
            break
        made.carry_out(found)
    else:
        pytest.fail("nothing was stopped")
    assert asks_for_nodes(found)


def test_a_node_that_comes_makes_it_go_on() -> None:
    made = promoting(EndpointSettings(node_selector="pool=gpu"), node())
    assert not made.run().failures
    made.nodes = (node(labels={"pool": "gpu"}),)
    made.behaviour = lambda name: "ready"
    assert made.settle().is_settled
    assert set(made.alias("production").values()) == {V2}


def test_what_does_not_fit_now_waits_with_the_schedulers_words_and_is_given_up_in_its_own_time() -> None:
    made = promoting(EndpointSettings(resources=GPU), node())
    gates = [g for g in made.run().gates if g.subject.kind == "alias"]
    assert {g.reason for g in gates} == {"WaitingForCapacity"}
    assert all("0/1 nodes are available: 1 Insufficient memory." in g.message for g in gates)
    assert all("`rollout: {strategy: recreate}`" in g.message for g in gates)
    made.now += CAPACITY_DEADLINE - 1
    assert not made.run().failures
    made.now += 2
    assert {f.reason for f in made.run().failures} == {"GivenUp"}
    assert set(made.alias("production").values()) == {V1}


def test_before_there_is_a_pod_the_plan_says_what_is_missing() -> None:
    made = promoting(EndpointSettings(resources=GPU, scale=Scale(2, 2)), node(free={**FREE, "nvidia.com/gpu": 1.0}))
    words = [g.message for g in made.plan().gates if g.reason == "WaitingForCapacity"]
    assert any("no node has room at the moment for 1 more, each with 1 nvidia.com/gpu" in text for text in words)


def test_under_recreate_nothing_recommends_it() -> None:
    made = promoting(EndpointSettings(resources=GPU), node(), strategy="recreate")
    assert not any("recreate}" in g.message for g in made.plan().gates)


def test_what_can_never_fit_stops_nothing_under_recreate() -> None:
    made = promoting(EndpointSettings(resources={"cpu": {"min": 64}}), node(), strategy="recreate")
    made.run()
    assert all(made.ready(name) == 1 for name in made.objects_of(V1, "predict"))


@pytest.mark.parametrize(
    "toleration",
    [
        {"key": "gpu", "effect": "NoSchedule", "value": "yes"},
        {"key": "gpu", "operator": "Exists"},
        {"operator": "Exists"},
    ],
)
def test_a_taint_that_is_tolerated_keeps_nothing_away(toleration: dict[str, str]) -> None:
    tainted = node(taints=({"key": "gpu", "effect": "NoSchedule", "value": "yes"},))
    made = promoting(EndpointSettings(tolerations=(toleration,)), tainted)
    assert not made.plan().failures


@pytest.mark.parametrize("taint", [{"key": "slow", "effect": "PreferNoSchedule"}])
def test_a_node_that_is_only_avoided_counts(taint: dict[str, str]) -> None:
    assert not promoting(EndpointSettings(), node(taints=(taint,))).plan().failures


def test_a_cluster_whose_nodes_are_all_away_only_makes_it_wait() -> None:
    made = promoting(EndpointSettings())
    made.nodes = ()
    assert {g.reason for g in made.plan().gates if g.subject.kind == "alias"} == {"WaitingForCapacity"}


def test_nobody_knows_the_nodes() -> None:
    made = promoting(EndpointSettings(resources={"cpu": {"min": 64}}))
    made.nodes = None
    assert not made.plan().failures


def test_nodes_are_asked_for_only_by_plans_that_add_replicas_or_wait_for_room() -> None:
    made = promoting(EndpointSettings())
    made.nodes = None
    assert asks_for_nodes(made.plan())
    assert asks_for_nodes(made.run()), "its pods find no node"
    made.behaviour = lambda name: "ready"
    assert not asks_for_nodes(made.settle())


def test_a_workload_without_replicas_needs_no_node() -> None:
    made = World()
    made.declare(deployment([V1], {}, idle_replicas=0))
    assert not asks_for_nodes(made.plan())


def test_several_small_rooms_count_together_but_no_replica_is_cut_in_two() -> None:
    half = replace(node(), free={"cpu": 1.5, "memory": 8e9, "pods": 9.0})
    settings = EndpointSettings(resources={"cpu": {"min": 1}}, scale=Scale(3, 3))
    assert any(g.reason == "WaitingForCapacity" for g in promoting(settings, half, half).plan().gates)
    assert not any(g.reason == "WaitingForCapacity" for g in promoting(settings, half, half, half).plan().gates)


def test_three_tenths_hold_three_times_a_tenth() -> None:
    tenths = replace(node(), free={"cpu": 0.3, "memory": 8e9, "pods": 9.0})
    settings = EndpointSettings(resources={"cpu": {"min": 0.1}}, scale=Scale(3, 3))
    assert not any(g.reason == "WaitingForCapacity" for g in promoting(settings, tenths).plan().gates)

"""An alias moves when, and only when, what it moves to serves."""

from __future__ import annotations

import pytest

from controller.model.declared import EndpointSettings, Rollout, Scale
from tests.plan.world import World, deployment, version

pytestmark = pytest.mark.pure
V1, V2, V3 = "20181002.0", "20181003.0", "20181004.0"


def serving(version_name: str = V1, **more: object) -> World:
    """A world in which production serves a version, settled."""
    world = World()
    world.declare(deployment([V1, V2], {"production": version_name}, **more))  # type: ignore[arg-type]
    assert world.settle().is_settled
    return world


def test_first_release() -> None:
    world = serving()
    assert world.alias("production") == {"predict": V1, "greet": V1}


def test_move_and_back() -> None:
    world = serving()
    world.declare(deployment([V1, V2], {"production": V2}))
    assert world.run().is_settled
    assert world.alias("production") == {"predict": V2, "greet": V2}
    writes = len(world.writes)
    world.declare(deployment([V1, V2], {"production": V1}))
    world.run()
    assert world.alias("production") == {"predict": V1, "greet": V1}
    assert {c.key.kind for c in world.writes[writes:]} == {"HTTPRoute"}, "a warm rollback is a route update"


def test_new_version_that_crashes_never_gets_the_alias() -> None:
    world = serving()
    three = deployment([V1, V2, V3], {"production": V3}, rollout=Rollout(deadline=30))
    world.declare(three)
    world.behaviour = lambda name: "crash" if "20181004" in name else "ready"
    made = world.settle()
    assert world.alias("production") == {"predict": V1, "greet": V1}
    assert "ModuleNotFoundError" in made.failures[0].message


def test_golden_failure_keeps_the_alias() -> None:
    world = serving()
    world.golden = lambda name: "seven: expected 7, got 3"
    world.declare(deployment([V1, V2, V3], {"production": V3}))
    made = world.settle()
    assert world.alias("production") == {"predict": V1, "greet": V1}
    assert "expected 7, got 3" in made.failures[0].message


def test_broken_setting_keeps_the_old_workload() -> None:
    world = serving()
    before = world.backends("production")
    world.declare(
        deployment([V1, V2], {"production": V1}, EndpointSettings(environment={"A": "1"}), rollout=Rollout(deadline=30))
    )
    world.behaviour = lambda name: "ready" if name in before or "20181003" in name else "crash"
    made = world.settle()
    assert world.backends("production") == before
    assert made.failures


def test_setting_change_moves_and_retires_the_old() -> None:
    world = serving()
    before = world.backends("production")
    world.declare(deployment([V1, V2], {"production": V1}, EndpointSettings(environment={"A": "1"})))
    assert world.settle().is_settled
    after = world.backends("production")
    assert not before & after
    assert not before & {k.name for k in world.objects if k.kind == "Deployment"}


def test_capacity_is_matched() -> None:
    world = World()
    settings = EndpointSettings(scale=Scale(1, 10, 70), resources={"cpu": {"min": 1}})
    world.declare(deployment([V1, V2], {"production": V1}, settings))
    world.settle()
    assert world.settle().is_settled


def test_lost_endpoint_holds_the_whole_alias() -> None:
    world = serving()
    less = {V1: version(V1), V2: version(V2, ("predict",))}
    world.declare(deployment(less, {"production": V2}), changed=("pointsman/deployments/americas/aliases/production.yaml",))
    made = world.settle()
    assert [h.reason for h in made.holds] == ["EndpointLost"]
    assert world.alias("production") == {"predict": V1, "greet": V1}
    world.declare(deployment(less, {"production": V2}), release=True)
    assert world.settle().is_settled
    assert world.alias("production") == {"predict": V2}


def test_removed_alias_is_held_then_released() -> None:
    world = serving()
    world.declare(deployment([V1, V2], {}), changed=("pointsman/deployments/americas/aliases/production.yaml",))
    assert [h.reason for h in world.settle().holds] == ["AliasRemoved"]
    assert world.alias("production")
    world.declare(deployment([V1, V2], {}), release=True)
    assert world.settle().is_settled
    assert not world.alias("production")


def test_removed_deployment_is_held_then_everything_goes() -> None:
    world = serving()
    world.declare(None, changed=("pointsman/deployments/americas/deployment.yaml",))
    assert [h.reason for h in world.settle().holds] == ["DeploymentRemoved"]
    world.declare(None, release=True)
    assert world.settle().is_settled
    assert {k.kind for k in world.objects} == {"Namespace"}


def test_recreate() -> None:
    world = serving(rollout=Rollout(strategy="recreate"))
    world.declare(deployment([V1, V2, V3], {"production": V3}, rollout=Rollout(strategy="recreate")))
    assert world.settle().is_settled
    assert world.alias("production") == {"predict": V3, "greet": V3}


def test_recreate_given_up_brings_the_old_back() -> None:
    rollout = Rollout(strategy="recreate", deadline=30)
    world = serving(rollout=rollout)
    world.declare(deployment([V1, V2, V3], {"production": V3}, rollout=rollout))
    world.behaviour = lambda name: "crash" if "20181004" in name else "ready"
    made = world.settle()
    assert made.failures
    assert world.alias("production") == {"predict": V1, "greet": V1}
    assert all(world.ready(name) for name in world.backends("production"))
    said = [gate.message for plan in world.plans if not plan.failures for gate in plan.gates]
    assert not any(words.startswith(f"{V1} waits") for words in said), "it was stopped on purpose"


def test_revert_of_a_whole_release_needs_no_override() -> None:
    world = World()
    world.declare(deployment([V1], {"production": V1}))
    world.settle()
    world.declare(deployment([V1, V2], {"production": V2}))
    world.settle()
    world.declare(deployment([V1], {"production": V1}))
    made = world.settle()
    assert made.is_settled
    assert world.running() == {V1}


def test_lost_record_waits_for_a_person() -> None:
    world = serving()
    world.record = type(world.record)(world.record.unit)
    world.declare(deployment([V1, V2], {"production": V2}))
    made = world.settle()
    assert [h.reason for h in made.holds] == ["RecordLost"]
    assert world.alias("production") == {"predict": V1, "greet": V1}


def test_a_server_whose_port_cannot_be_mapped_makes_room_for_its_successor() -> None:
    world = World()
    holders: dict[str, str] = {}

    def behaviour(name: str) -> str:
        endpoint = name.split("-", maxsplit=1)[0]
        holder = holders.get(endpoint)
        if holder is None or not world.replicas(holder):
            holders[endpoint] = holder = name
        return "ready" if holder == name else "port-in-use"

    world.behaviour = behaviour
    one = {V1: version(V1, ("predict",))}
    world.declare(deployment(one, {"production": V1}))
    assert world.settle().is_settled
    world.declare(deployment({**one, V2: version(V2, ("predict",))}, {"production": V2}))
    world.run()
    assert any("requests will fail during this switch" in w for made in world.plans for w in made.warnings)
    world.now += 60
    world.run()
    assert world.alias("production") == {"predict": V2}

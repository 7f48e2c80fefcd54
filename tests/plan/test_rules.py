"""The rules that protect users, one by one: what is held, what is only gated, and what goes on meanwhile."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controller.model import labels
from controller.model.changes import Operation
from controller.model.declared import EndpointSettings, Rollout, Scale, SecretRef
from controller.model.diagnostics import Diagnostic, Location, Severity, Subject
from controller.model.identity import ObjectKey
from controller.model.objects import at, put
from controller.model.record import Fact, FactKind, UnitRecord
from controller.plan.planner import held_plan, plan
from tests.plan.world import UNIT, World, alias_file, deployment, version

pytestmark = pytest.mark.pure
V = tuple(f"2018100{n}.0" for n in range(1, 8))
CPU = {"cpu": {"min": 1}}
WARM = Rollout(keep_warm=100.0)


def settled(world: World, *args: object, **more: object) -> World:
    world.declare(deployment(*args, **more))  # type: ignore[arg-type]
    made = world.settle()
    assert made.is_settled, made
    return world


def size(world: World, name: str, endpoint: str = "predict") -> int:
    found = [k for k, o in world.objects.items() if k.kind == "Deployment" and says(o, name, endpoint)]
    assert len(found) == 1
    return world.replicas(found[0].name)


def says(obj: dict[str, object], name: str, endpoint: str) -> bool:
    notes = at(obj, "metadata", "annotations", default={})
    return bool(notes.get(labels.VERSION) == name and notes.get(labels.ENDPOINT) == endpoint)


def test_what_the_builder_warns_of_is_in_the_plan_once_for_each_endpoint() -> None:
    world = World()
    world.warnings = ("the image runs as root",)
    world.declare(deployment([*V[:2]], {}))
    assert world.plan().warnings == ("greet: the image runs as root", "predict: the image runs as root")


# deletion


@pytest.mark.parametrize(("removed", "held"), [(1, False), (2, False), (3, False), (4, True)])
def test_more_than_three_versions_at_once_are_held(removed: int, held: bool) -> None:
    seven = settled(World(), [*V], {"production": V[6]})
    seven.declare(deployment([*V[removed:]], {"production": V[6]}), changed=files(V[:removed]))
    made = seven.settle()
    assert [h.reason for h in made.holds] == ["TooManyRemovals"] * held
    assert (V[0] in seven.running()) is held


@pytest.mark.parametrize(("removed", "held"), [(1, False), (2, True)])
def test_more_than_half_of_the_versions_are_held(removed: int, held: bool) -> None:
    three = settled(World(), [*V[:3]], {"production": V[2]})
    three.declare(deployment([*V[removed:3]], {"production": V[2]}), changed=files(V[:removed]))
    assert bool(three.settle().holds) is held


def test_a_release_lets_many_versions_go() -> None:
    world = settled(World(), [*V], {"production": V[6]})
    world.declare(deployment([V[6]], {"production": V[6]}), changed=files(V[:6]))
    world.settle()
    world.declare(deployment([V[6]], {"production": V[6]}), release=True)
    assert world.settle().is_settled
    assert world.running() == {V[6]}


def test_a_release_before_the_removal_allows_nothing() -> None:
    world = settled(World(), [*V[:2]], {"production": V[0]})
    world.declare(deployment([*V[:2]], {"production": V[0]}), release=True)
    world.declare(deployment([*V[:2]], {}), changed=(alias_file("production"),))
    assert [h.reason for h in world.settle().holds] == ["AliasRemoved"]


def files(versions: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"pointsman/versions/{v}.yaml" for v in versions)


def test_rewritten_history_moves_but_removes_nothing() -> None:
    world = settled(World(), [*V[:4]], {"production": V[0]})
    world.rewritten = True
    world.declare(deployment([*V[1:4]], {"production": V[1]}), changed=files(V[:1]))
    made = world.settle()
    assert world.alias("production") == {"predict": V[1], "greet": V[1]}
    assert V[0] in world.running()
    assert [h.reason for h in made.holds] == ["HistoryRewritten"]


def test_a_lost_endpoint_is_held_after_rewritten_history_even_if_released() -> None:
    world = settled(World(), [*V[:2]], {"production": V[0]})
    world.rewritten = True
    less = {V[0]: version(V[0]), V[1]: version(V[1], ("predict",))}
    world.declare(deployment(less, {"production": V[1]}), changed=(alias_file("production"),), release=True)
    made = world.settle()
    assert "EndpointLost" in {h.reason for h in made.holds}
    assert world.alias("production") == {"predict": V[0], "greet": V[0]}


def test_an_object_that_a_person_protects_stays_and_the_plan_comes_to_an_end() -> None:
    world = settled(World(), [*V[:2]], {"production": V[0]})
    key = next(k for k, o in world.objects.items() if k.kind == "HTTPRoute" and says(o, V[0], "greet"))
    for route in [k for k, o in world.objects.items() if k.kind == "HTTPRoute"]:
        world.objects[route] = put(world.objects[route], labels.DISABLED, "metadata", "annotations", labels.PRUNE)
    less = {V[0]: version(V[0]), V[1]: version(V[1], ("predict",))}
    world.declare(deployment(less, {"production": V[1]}), changed=(alias_file("production"),), release=True)
    world.settle()
    assert key in world.objects
    assert world.alias("production")["predict"] == V[1]


def test_what_the_inventory_does_not_know_stays() -> None:
    world = settled(World(), [*V[:3]], {"production": V[2]})
    world.record = replace(world.record, inventory=frozenset())
    world.declare(deployment([*V[1:3]], {"production": V[2]}), changed=files(V[:1]))
    made = world.settle()
    assert V[0] in world.running()
    assert any("not in the inventory" in text for text in made.warnings)


def test_a_foreign_object_is_neither_written_nor_removed() -> None:
    world = settled(World(), [V[0]], {"production": V[0]})
    world.declare(deployment([*V[:2]], {"production": V[0], "staging": V[0]}))
    key = next(c.key for c in world.plan().changes if c.key.kind == "HTTPRoute" and "staging" in c.key.name)
    foreign = {
        "kind": "HTTPRoute",
        "metadata": {"name": key.name, "namespace": key.namespace, "uid": "x", "generation": 1},
        "spec": {},
    }
    world.objects[key] = foreign
    made = world.settle()
    assert world.objects[key] is foreign
    assert {f.reason for f in made.failures} == {"ForeignObject"}
    assert not world.alias("staging"), "an alias moves as a whole or not at all"


# mistakes in the repository


def mistake(subject: Subject) -> dict[Subject, tuple[Diagnostic, ...]]:
    return {subject: (Diagnostic("PM304", Severity.ERROR, "wrong", Location("f.yaml", 1), subject, "mend it"),)}


def test_a_held_version_keeps_running_and_a_held_alias_its_routes() -> None:
    world = settled(World(), [*V[:3]], {"production": V[2], "staging": V[0]}, rollout=WARM)
    world.declare(deployment([V[2]], {"production": V[2]}, rollout=WARM))
    held = mistake(Subject("version", V[0])) | mistake(Subject("version", V[1])) | mistake(Subject("alias", "americas/staging"))
    made = plan(replace(world.desired(), held=held), world.observed(), world.record, world.now + 1e6)
    assert not made.changes
    assert {h.reason for h in made.holds} == {"PM304"}
    assert made.inventory == world.record.inventory


def test_a_held_unit_changes_nothing() -> None:
    world = settled(World(), [V[0]], {"production": V[0]})
    (diagnostics,) = mistake(Subject("deployment", "americas")).values()
    made = held_plan(UNIT, "r", diagnostics, world.record, world.now)
    assert made.is_empty
    assert not made.is_settled
    assert made.holds[0].hint == "mend it"


def test_suspended() -> None:
    world = settled(World(), [V[0]], {"production": V[0]})
    world.record = world.record.with_facts([Fact(FactKind.SUSPENDED, "unit", "", "", world.now)])
    world.declare(deployment([*V[:2]], {"production": V[1]}))
    made = world.plan()
    assert made.is_empty
    assert [g.reason for g in made.gates] == ["Suspended"]


def test_a_lost_record_holds_until_the_alias_file_changes() -> None:
    world = settled(World(), [*V[:3]], {"production": V[0]})
    world.record = UnitRecord(UNIT)
    world.declare(deployment([*V[:3]], {"production": V[1]}))
    assert [h.reason for h in world.settle().holds] == ["RecordLost"]
    other = EndpointSettings(environment={"A": "1"})
    world.declare(deployment([*V[:3]], {"production": V[1]}, other))
    assert [h.reason for h in world.settle().holds] == ["RecordLost"], "a setting is not that alias's file"
    world.declare(deployment([*V[:3]], {"production": V[2]}, other), changed=(alias_file("production"),))
    world.settle()
    assert world.alias("production") == {"predict": V[2], "greet": V[2]}


# sizes


def test_what_an_alias_left_drains_at_full_size_then_is_kept_warm_then_idles() -> None:
    scale = EndpointSettings(scale=Scale(3, 3))
    world = settled(World(), [*V[:2]], {"production": V[0]}, scale, rollout=WARM)
    world.declare(deployment([*V[:2]], {"production": V[1]}, scale, rollout=WARM))
    world.run()
    assert (size(world, V[0]), size(world, V[1])) == (3, 3)
    world.now += 6
    world.run()
    assert size(world, V[0]) == 3, "kept warm at its scale.min"
    world.now += 101
    assert world.run().is_settled
    assert size(world, V[0]) == 1


def test_keep_warm_holds_its_size_also_when_the_file_has_left_git() -> None:
    scale = EndpointSettings(scale=Scale(3, 3))
    world = settled(World(), [*V[:2]], {"production": V[0]}, scale, rollout=WARM)
    world.declare(deployment([V[1]], {"production": V[1]}, scale, rollout=WARM))
    world.run()
    world.now += 6
    made = world.run()
    assert size(world, V[0]) == 3
    assert {g.reason for g in made.gates} == {"KeepWarm"}
    assert made.is_settled, "clocks keep no revision from counting as applied"
    world.now += 101
    world.run()
    assert world.running() == {V[1]}


def test_idle_0_builds_only() -> None:
    world = settled(World(), [*V[:2]], {"production": V[1]}, idle_replicas=0)
    assert size(world, V[0]) == 0
    assert ObjectKey("HTTPRoute", UNIT.namespace, route_of(world, V[0])) in world.objects, "its URL answers 503"


def route_of(world: World, name: str) -> str:
    return next(k.name for k, o in world.objects.items() if k.kind == "HTTPRoute" and says(o, name, "predict"))


def test_the_new_matches_what_serves_until_the_old_has_drained() -> None:
    scale = EndpointSettings(scale=Scale(1, 10, 70), resources=CPU)
    world = settled(World(), [*V[:2]], {"production": V[0]}, scale, rollout=WARM)
    name = next(n for n in world.backends("production") if "predict" in n)
    key = ObjectKey("HorizontalPodAutoscaler", UNIT.namespace, name)
    grown = world.objects[ObjectKey("Deployment", UNIT.namespace, name)]
    world.objects[ObjectKey("Deployment", UNIT.namespace, name)] = put(grown, 6, "spec", "replicas")
    assert at(world.objects[key], "spec", "minReplicas") == 1
    world.declare(deployment([*V[:2]], {"production": V[1]}, scale, rollout=WARM))
    world.run()
    new = next(n for n in world.backends("production") if "predict" in n)
    scaler = ObjectKey("HorizontalPodAutoscaler", UNIT.namespace, new)
    assert new != name
    assert at(world.objects[scaler], "spec", "minReplicas") == 6
    assert "replicas" not in world.objects[ObjectKey("Deployment", UNIT.namespace, new)]["spec"]
    world.now += 6
    world.run()
    assert at(world.objects[scaler], "spec", "minReplicas") == 1


def test_an_autoscaler_takes_over_a_number_that_is_ours_without_dropping_it() -> None:
    fixed = EndpointSettings(scale=Scale(3, 3), resources=CPU)
    world = settled(World(), [V[0]], {"production": V[0]}, fixed)
    name = next(n for n in world.backends("production") if "predict" in n)
    key = ObjectKey("Deployment", UNIT.namespace, name)
    entry = {"manager": labels.FIELD_MANAGER, "operation": "Apply", "fieldsV1": {"f:spec": {"f:replicas": {}}}}
    world.objects[key] = put(world.objects[key], [entry], "metadata", "managedFields")
    world.declare(deployment([V[0]], {"production": V[0]}, EndpointSettings(scale=Scale(2, 6, 70), resources=CPU)))
    change = next((c for c in world.plan().changes if c.key == key), None)
    assert change is not None
    assert at(change.desired or {}, "spec", "replicas") == 3


def test_new_settings_of_an_idle_version_take_over_although_the_old_are_kept_warm_at_more() -> None:
    scale = EndpointSettings(scale=Scale(3, 3))
    world = settled(World(), [*V[:2]], {"production": V[0]}, scale, rollout=WARM)
    world.declare(deployment([*V[:2]], {"production": V[1]}, scale, rollout=WARM))
    world.run()
    world.now += 6
    world.run()
    changed = replace(scale, environment={"A": "1"})
    world.declare(deployment([*V[:2]], {"production": V[1]}, changed, rollout=WARM))
    assert world.settle().is_settled
    assert size(world, V[0]) == 1


# settings in place


def test_a_timeout_changes_in_place_also_while_a_switch_waits() -> None:
    world = settled(World(), [V[0]], {"production": V[0]})
    before = world.backends("production")
    world.behaviour = lambda name: "ready" if name in before else "pending"
    world.declare(deployment([*V[:2]], {"production": V[1]}, EndpointSettings(timeout=5.0)))
    world.run()
    routes = [o for k, o in world.objects.items() if k.kind == "HTTPRoute" and says(o, V[0], "predict")]
    assert {at(o, "spec", "rules", 0, "timeouts", "request") for o in routes} == {"5s"}
    assert world.backends("production") == before


def test_a_missing_secret_is_a_gate_with_its_command() -> None:
    world = settled(World(), [V[0]], {"production": V[0]})
    before = world.backends("production")
    secret = EndpointSettings(environment={"TOKEN": SecretRef("api", "token")})
    world.declare(deployment([V[0]], {"production": V[0]}, secret))
    made = world.settle()
    assert any("pointsman secret set api token" in g.message for g in made.gates)
    assert world.backends("production") == before
    world.secrets = {"api": frozenset({"token"})}
    assert world.settle().is_settled


def test_an_unchanged_world_needs_no_request() -> None:
    world = settled(World(), [*V[:3]], {"production": V[2]})
    world.declare(deployment([*V[:3]], {"production": V[2]}))
    made = world.plan()
    assert made.is_empty
    assert made.unchanged > 10


def test_a_hand_edit_is_put_back_and_its_value_is_not_shown() -> None:
    world = settled(World(), [V[0]], {"production": V[0]}, EndpointSettings(environment={"A": "1"}))
    key = next(k for k in world.objects if k.kind == "Deployment")
    (container,) = at(world.objects[key], "spec", "template", "spec", "containers")
    env = [{**item, "value": "s3cret"} if "value" in item else item for item in container["env"]]
    containers = [{**container, "env": env}]
    world.objects[key] = put(world.objects[key], containers, "spec", "template", "spec", "containers")
    (change,) = world.plan().changes
    assert change.operation is Operation.UPDATE
    assert "s3cret" not in str(change)
    assert {f.old for f in change.fields} == {"***"}

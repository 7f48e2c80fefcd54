"""Deadlines, giving up, trying again; golden requests; newer commits; pins."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controller.model.declared import EndpointSettings, Rollout, Scale
from controller.model.record import Fact, FactKind
from controller.plan.patience import CAPACITY_DEADLINE
from tests.plan.world import World, alias_file, deployment, version

pytestmark = pytest.mark.pure
V1, V2, V3 = "20181002.0", "20181003.0", "20181004.0"
SHORT = Rollout(deadline=30.0, keep_warm=100.0)
TRIED = (FactKind.GIVEN_UP, FactKind.GOLDEN_FAILED, FactKind.WAITING_SINCE)


def serving(**more: object) -> World:
    """A world in which production serves V1."""
    world = World()
    world.declare(deployment([V1], {"production": V1}, rollout=SHORT, **more))  # type: ignore[arg-type]
    assert world.settle().is_settled
    return world


def promote(world: World, name: str = V2) -> None:
    world.declare(deployment([V1, V2, V3], {"production": name}, rollout=SHORT), changed=(alias_file("production"),))


def reconcile(world: World) -> None:
    world.record = world.record.with_facts([], [f for f in world.record.facts if f.kind in TRIED])


def only(world: World, behaviour: str) -> None:
    """What serves production goes on; everything else behaves so."""
    before = world.backends("production")
    world.behaviour = lambda name: "ready" if name in before else behaviour


def served(world: World) -> set[str]:
    return set(world.alias("production").values())


# deadlines


def test_the_deadline_counts_from_the_start_of_the_pods() -> None:
    world = serving()
    only(world, "pending")
    promote(world)
    world.run()
    world.now += 700
    assert not world.run().failures, "no node yet: the deadline for capacity is another"
    only(world, "crash")
    assert not world.run().failures
    world.now += 31
    made = world.run()
    assert {f.reason for f in made.failures} == {"GivenUp"}
    assert served(world) == {V1}


def test_waiting_for_capacity_has_a_deadline_too() -> None:
    world = serving()
    only(world, "pending")
    promote(world)
    world.run()
    world.now += CAPACITY_DEADLINE + 1
    assert any("production" in f.message for f in world.run().failures)


def test_pods_that_the_cluster_refuses_to_make_say_so_and_wait_no_longer_than_others() -> None:
    world = serving()
    only(world, "forbidden")
    promote(world)
    assert any("FailedCreate: pods is forbidden: exceeded quota: small" in g.message for g in world.run().gates)
    world.now += 31
    assert {f.reason for f in world.run().failures} == {"GivenUp"}
    assert served(world) == {V1}


def test_given_up_is_tried_again_by_reconcile_or_by_another_target_only() -> None:
    world = serving()
    only(world, "crash")
    promote(world)
    assert world.settle().failures
    world.behaviour = lambda name: "ready"
    promote(world)
    world.settle()
    assert served(world) == {V1}, "a commit that changes nothing of it is no new try"
    reconcile(world)
    world.settle()
    assert served(world) == {V2}


def test_back_and_forth_is_a_new_try() -> None:
    world = serving()
    world.golden = lambda name: "no"
    promote(world)
    assert world.settle().failures
    promote(world, V1)
    assert world.settle().is_settled
    world.golden = lambda name: None
    promote(world)
    assert world.settle().is_settled
    assert served(world) == {V2}


def test_an_endpoint_may_be_called_capacity() -> None:
    world = World()
    versions = {V1: version(V1, ("capacity",))}
    world.declare(deployment(versions, {"production": V1}, rollout=SHORT))
    world.settle()
    only(world, "crash")
    versions[V2] = version(V2, ("capacity",))
    world.declare(deployment(versions, {"production": V1}, rollout=SHORT))
    world.run()
    world.now += 31
    world.run()
    assert {f.reason for f in world.run().failures} == {"GivenUp"}, "what was given up stays so"


# golden requests


def test_what_was_confirmed_needs_no_golden_requests_again() -> None:
    world = serving()
    promote(world)
    world.settle()
    world.golden = lambda name: "no"
    promote(world, V1)
    assert world.settle().is_settled
    assert served(world) == {V1}


def test_another_alias_failing_them_keeps_no_alias_from_going_back() -> None:
    world = serving()
    promote(world)
    world.settle()
    facts = [Fact(FactKind.GOLDEN_FAILED, f"{V1}/predict", w, "", world.now) for w in world.objects_of(V1, "predict")]
    world.record = world.record.with_facts(facts)
    promote(world, V1)
    world.settle()
    assert served(world) == {V1}


def test_new_settings_that_fail_golden_requests_give_the_version_url_back() -> None:
    world = serving()
    before = world.backends("production")
    world.golden = lambda name: None if name in before else "seven: got 3"
    world.declare(deployment([V1], {"production": V1}, EndpointSettings(environment={"A": "1"}), rollout=SHORT))
    made = world.settle()
    assert {f.reason for f in made.failures} == {"GoldenFailed"}
    assert world.backends("production") == before
    assert world.version_backends(V1) == before


# newer commits


def test_a_newer_commit_takes_over_before_the_routes_move() -> None:
    world = serving()
    only(world, "pending")
    promote(world)
    world.run()
    world.behaviour = lambda name: "ready"
    promote(world, V3)
    world.settle()
    assert served(world) == {V3}
    moves = [c.reason for c in world.writes if c.key.kind == "HTTPRoute" and c.reason.startswith("production")]
    assert not any(V2 in reason for reason in moves)


def test_a_newer_commit_waits_until_the_move_before_it_is_confirmed() -> None:
    world = serving()
    promote(world)
    while served(world) == {V1}:
        made = world.plan()
        world.carry_out(replace(made, confirms=()))
    promote(world, V3)
    made = world.plan()
    assert [g.reason for g in made.gates if "production" in g.message] == ["Confirming"]
    assert made.confirms
    world.now += 31
    world.carry_out(replace(world.plan(), confirms=()))
    world.settle()
    assert served(world) == {V3}


@pytest.mark.parametrize(("timeout", "patience"), [(1.0, 5.0), (60.0, 60.0), (900.0, 120.0)])
def test_an_answer_may_take_as_long_as_its_endpoint_within_bounds(timeout: float, patience: float) -> None:
    world = World()
    world.declare(deployment([V1], {"production": V1}, settings=EndpointSettings(timeout=timeout)))
    for _ in range(20):
        if (made := world.plan()).confirms:
            break
        world.carry_out(made)
    assert [confirm.patience for confirm in made.confirms] == [patience]


def test_nothing_is_taken_away_before_the_data_plane_has_answered() -> None:
    world = serving()
    promote(world)
    for _ in range(20):
        world.carry_out(replace(world.plan(), confirms=()))
        world.now += 700
    assert served(world) == {V2}
    assert V1 in world.running()
    assert not world.plan().is_settled


def test_all_routes_move_in_one_plan() -> None:
    world = serving()
    promote(world)
    world.settle()
    moving = [p for p in world.plans if any(c.reason.startswith("production") for c in p.changes)]
    assert [sum(c.reason.startswith("production") for c in p.changes) for p in moving] == [2, 2]


# pins


def pin(world: World, name: str) -> None:
    declared = world.declared
    assert declared
    fact = Fact(FactKind.PINNED, "production", name, "", world.now, declared.aliases["production"].version)
    world.record = world.record.with_facts([fact])


def test_a_pin_leads_elsewhere_until_unpinned() -> None:
    world = serving()
    promote(world)
    world.settle()
    pin(world, V1)
    assert world.settle().is_settled
    assert served(world) == {V1}
    world.record = world.record.with_facts([], [f for f in world.record.facts if f.kind is FactKind.PINNED])
    assert world.settle().is_settled
    assert served(world) == {V2}


def test_a_pin_ends_with_a_commit_that_moves_or_removes_the_alias() -> None:
    world = serving()
    promote(world)
    world.settle()
    pin(world, V1)
    world.settle()
    promote(world, V3)
    world.settle()
    assert served(world) == {V3}
    pin(world, V1)
    world.settle()
    world.declare(deployment([V1, V2, V3], {}, rollout=SHORT), changed=(alias_file("production"),))
    world.settle()
    promote(world, V3)
    world.settle()
    assert served(world) == {V3}, "the pin ended with the file"


def test_a_pinned_version_that_is_not_here_leaves_the_routes() -> None:
    world = serving()
    pin(world, "20990101.0")
    made = world.settle()
    assert [h.reason for h in made.holds] == ["PinnedVersionMissing"]
    assert served(world) == {V1}


def test_a_pin_to_a_version_with_more_endpoints_moves_those_that_the_alias_has() -> None:
    world = World()
    known = {V1: version(V1), V2: version(V2, ("predict",))}
    world.declare(deployment(known, {"production": V2}))
    world.settle()
    pin(world, V1)
    assert world.settle().is_settled
    assert world.alias("production") == {"predict": V1}


# recreate


ONE_AT_A_TIME = Rollout(deadline=30.0, strategy="recreate", keep_warm=0.0)


def recreating(aliases: dict[str, str]) -> World:
    world = World()
    world.declare(deployment([V1], aliases, rollout=ONE_AT_A_TIME, idle_replicas=0))
    assert world.settle().is_settled
    return world


def one_at_a_time(world: World, aliases: dict[str, str], settings: EndpointSettings | None = None) -> None:
    world.declare(deployment([V1, V2], aliases, settings, rollout=ONE_AT_A_TIME, idle_replicas=0))


def test_recreate_never_runs_both() -> None:
    world = recreating({"production": V1})
    one_at_a_time(world, {"production": V2})
    assert any("requests will fail" in text for text in world.plan().warnings)
    for _ in range(12):
        world.step()
        assert not (world.size(V1) and world.size(V2))
    assert served(world) == {V2}


def test_recreate_keeps_the_old_while_the_image_is_missing() -> None:
    world = recreating({"production": V1})
    world.built = lambda key: False
    one_at_a_time(world, {"production": V2})
    world.run()
    assert world.size(V1) == 1


def test_recreate_moves_two_aliases_of_one_version_together() -> None:
    world = recreating({"production": V1, "staging": V1})
    one_at_a_time(world, {"production": V2, "staging": V2})
    for _ in range(12):
        world.step()
        assert not (world.size(V1) and world.size(V2))
    assert set(world.alias("staging").values()) == served(world) == {V2}


def test_recreate_stops_nothing_that_another_alias_names() -> None:
    world = recreating({"production": V1, "staging": V1})
    one_at_a_time(world, {"production": V2, "staging": V1})
    for _ in range(12):
        world.step()
        assert world.size(V1) == 1
    assert served(world) == {V2}


def test_recreate_does_not_stop_what_another_alias_is_served_by() -> None:
    world = World()
    world.declare(deployment([V1, V2], {"production": V1, "staging": V2}, rollout=ONE_AT_A_TIME))
    world.settle()
    one_at_a_time(world, {"production": V2, "staging": V2})
    for _ in range(12):
        world.step()
        assert world.size(V2) == 1
    assert served(world) == {V2}


def test_recreate_brings_back_old_settings_that_left_git() -> None:
    world = recreating({"production": V1})
    before = world.backends("production")
    only(world, "crash")
    one_at_a_time(world, {"production": V1}, EndpointSettings(scale=Scale(1, 1), environment={"A": "1"}))
    made = world.settle()
    assert made.failures
    assert world.backends("production") == before
    assert all(world.ready(name) for name in before)


# what is remembered


def test_the_last_ten_versions_that_served_stay_known() -> None:
    world = World()
    names = [f"2018110{n}.0" if n < 10 else f"201811{n}.0" for n in range(1, 14)]
    for name in names:
        world.now += 700
        world.declare(deployment([name], {"production": name}, rollout=Rollout(keep_warm=0.0)))
        assert world.settle().is_settled
    known = {f.detail for f in world.record.facts if f.kind is FactKind.CONFIRMED}
    assert known == set(names[-10:])


def test_memory_does_not_grow_with_every_change_of_settings() -> None:
    world = World()
    for value in range(20):
        world.now += 700
        settings = EndpointSettings(environment={"A": str(value)})
        world.declare(deployment([V1], {"production": V1}, settings, rollout=Rollout(keep_warm=0.0)))
        assert world.settle().is_settled
    assert len(world.record.facts) < 12

"""What the routes and the record alone say of an alias."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controller.cli.arrival import Arrival
from controller.cli.unit_status import unit_status
from controller.cli.workload_status import Seen
from controller.model.declared import EndpointSettings
from controller.model.record import Fact, FactKind
from controller.plan.conditions import conditions_after
from tests.cli.operate.worlds import URL, declared_in
from tests.plan.world import UNIT, World, alias_file, deployment

pytestmark = pytest.mark.pure
V1, V2 = "20181002.0", "20181003.0"
BROKEN = EndpointSettings(environment={"LEVEL": "debug"})


def serving() -> World:
    world = World()
    world.declare(deployment([V1], {"production": V1, "staging": V1}))
    world.settle()
    return world


def seen_in(world: World, alias: str = "production") -> Arrival:
    """As the controller's last pass left it, with the conditions that it wrote."""
    record = replace(world.record, conditions=conditions_after(world.plan(), (), world.now))
    status = unit_status(Seen(UNIT, record, world.observed(), URL, world.now), declared_in(world), None, running=True)
    return next(found.arrival for found in status.aliases if found.name == alias)


def crash(world: World, version: str) -> None:
    world.behaviour = lambda workload: "crash" if version in workload else "ready"


def newest(found: Arrival) -> int:
    """The newest revision that every endpoint is known to follow."""
    return min(
        max(int(revision.partition(":")[2] or revision.partition("@")[2]) for revision in any_of) for any_of in found.since
    )


def test_an_alias_that_serves_names_the_revision_of_the_data_planes_word() -> None:
    found = seen_in(serving())
    assert len(found.since) == 2
    assert newest(found) == 1
    assert found.stopped is None


def test_a_broken_idle_version_stops_no_alias() -> None:
    world = serving()
    crash(world, "20181003")
    world.declare(deployment([V1, V2], {"production": V1, "staging": V1}))
    world.settle()
    found = seen_in(world)
    assert (bool(found.since), found.stopped) == (True, None)


def test_a_switch_that_was_given_up_stops_its_alias_and_no_other() -> None:
    world = serving()
    crash(world, "20181003")
    world.declare(deployment([V1, V2], {"production": V2, "staging": V1}), changed=(alias_file("production"),))
    world.settle()
    assert "given up" in (seen_in(world).stopped or "")
    assert seen_in(world, "staging").stopped is None


def test_a_suspension_stops_every_alias_whatever_its_words_name() -> None:
    world = serving()
    world.record = world.record.with_facts([Fact(FactKind.SUSPENDED, "unit", "", "", world.now, "staging is examined")])
    world.declare(deployment([V1, V2], {"production": V2, "staging": V1}))
    assert [seen_in(world, alias).stopped for alias in ("production", "staging")] == ["staging is examined"] * 2


def test_a_failed_golden_request_stops_its_alias_and_no_other() -> None:
    world = serving()
    world.golden = lambda workload: "seven: expected 7, got 1" if "20181003" in workload else None
    world.declare(deployment([V1, V2], {"production": V2, "staging": V1}), changed=(alias_file("production"),))
    world.settle()
    assert "expected 7" in (seen_in(world).stopped or "")
    assert seen_in(world, "staging").stopped is None


def test_other_settings_count_only_when_the_alias_has_moved_to_them() -> None:
    world = serving()
    before = set(world.running())
    world.behaviour = lambda workload: "ready" if workload in before else "pending"
    world.declare(deployment([V1], {"production": V1, "staging": V1}, BROKEN))
    world.run()
    assert newest(seen_in(world)) == 1
    world.behaviour = lambda workload: "ready"
    world.settle()
    assert newest(seen_in(world)) == 2


def test_a_route_that_no_gateway_took_in_has_not_arrived() -> None:
    world = serving()
    world.silent = True
    assert seen_in(world).since == ()


def test_an_unconfirmed_move_has_not_arrived() -> None:
    world = serving()
    world.confirming = False
    world.declare(deployment([V1, V2], {"production": V2, "staging": V1}), changed=(alias_file("production"),))
    for _ in range(10):
        world.step()
    assert seen_in(world).since == ()

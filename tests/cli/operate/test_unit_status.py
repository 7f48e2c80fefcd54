"""What `status` says of a unit in every situation that a person asks about."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controller.cli.status_document import Overview, document
from controller.cli.status_text import lines
from controller.cli.unit_status import UnitStatus, only_alias, unit_status
from controller.cli.waiting import verdict
from controller.cli.workload_status import Seen
from controller.engine.planning import PlannedUnit
from controller.model.conditions import Assessment, Condition, Health
from controller.model.diagnostics import Subject
from controller.model.record import Fact, FactKind
from controller.plan.conditions import conditions_after
from tests.cli.operate.worlds import URL, declared_in, status_of
from tests.plan.world import UNIT, World, alias_file, deployment, version

pytestmark = pytest.mark.pure
V1, V2, V3 = "20181002.0", "20181003.0", "20181004.0"


def serving() -> World:
    world = World()
    world.declare(deployment([V1, V2], {"production": V1}))
    world.settle()
    return world


def overview(*units: UnitStatus, pid: int | None = 7) -> Overview:
    return Overview("/src", f"main@sha1:{'4' * 40}", pid, URL, (), (), units)


def text(status: UnitStatus) -> str:
    return "\n".join(line.plain for line in lines(overview(status)))


def states(status: UnitStatus) -> dict[str, str]:
    return {found.name: found.state for found in status.versions}


def test_a_settled_unit_is_healthy_and_says_where_each_url_leads() -> None:
    status = status_of(serving())
    assert status.health.health is Health.HEALTHY
    assert status.settled
    [alias] = status.aliases
    assert (alias.version, alias.wants, alias.state, alias.settled) == (V1, V1, "serving", True)
    assert {e.url for e in alias.endpoints} == {f"{URL}/ruksi/mnist/americas/production/{e}" for e in ("predict", "greet")}
    assert all((e.ready, e.wanted, e.version) == (1, 1, V1) for e in alias.endpoints)
    assert states(status) == {V2: "idle", V1: "serving"}
    found = verdict(overview(status))
    assert found is not None
    assert found.serves


def test_a_switch_that_waits_names_both_versions_and_the_endpoints_own_words() -> None:
    world = serving()
    world.behaviour = lambda workload: "crash" if "20181004" in workload else "ready"
    world.declare(deployment([V1, V2, V3], {"production": V3}))
    world.run()
    status = status_of(world)
    assert status.health.health is Health.PROGRESSING
    [alias] = status.aliases
    assert (alias.version, alias.wants, alias.state, alias.settled) == (V1, V3, "switching", False)
    assert "No module named 'flask'" in alias.messages[0]
    assert states(status)[V3] == "failed"
    assert verdict(overview(status)) is None
    assert "production → 20181004.0 waits" in text(status)


def test_a_switch_that_was_given_up_is_degraded_and_ends_the_waiting() -> None:
    world = serving()
    world.behaviour = lambda workload: "crash" if "20181004" in workload else "ready"
    world.declare(deployment([V1, V2, V3], {"production": V3}))
    world.settle()
    status = status_of(world)
    assert status.health.health is Health.DEGRADED
    assert (status.aliases[0].version, status.aliases[0].state) == (V1, "failed")
    found = verdict(overview(status))
    assert found is not None
    assert not found.serves
    assert "given up" in found.reason
    assert "No module named 'flask'" in found.reason


def test_a_broken_version_that_nobody_serves_keeps_no_alias_waiting() -> None:
    world = serving()
    world.behaviour = lambda workload: "crash" if "20181004" in workload else "ready"
    world.declare(deployment([V1, V2, V3], {"production": V1}))
    world.run()
    status = status_of(world)
    assert (status.settled, status.aliases[0].settled) == (False, True)
    found = verdict(overview(only_alias(status, "production")))
    assert found is not None
    assert found.serves


@pytest.mark.parametrize("read", [True, False])
def test_a_deployment_that_left_git_is_not_healthy_while_it_goes(read: bool) -> None:
    """With a plan of what goes, and on a target where nothing is planned."""
    world = serving()
    git = declared_in(world)
    record = replace(world.record, conditions=conditions_after(world.plan(), (), world.now))
    world.declare(None, changed=("pointsman/deployments/americas/deployment.yaml",), release=True)
    world.run()
    planned = PlannedUnit(world.plan(), world.desired()) if read else None
    seen = Seen(UNIT, record, world.observed(), URL, world.now)
    status = unit_status(seen, replace(git, deployments={}), planned, running=True)
    assert (status.health.health, status.health.message) == (
        Health.PROGRESSING,
        "git does not declare it here: it is being removed",
    )
    assert unit_status(
        seen, replace(git, deployments={}, held={Subject("project", "mnist"): ()}), None, running=True
    ).health == (Assessment(Health.HEALTHY))


def test_a_golden_request_that_failed_is_said_with_the_alias() -> None:
    world = serving()
    world.golden = lambda workload: "seven: expected json.digit = 7, got 1" if "20181004" in workload else None
    world.declare(deployment([V1, V2, V3], {"production": V3}))
    world.settle()
    status = status_of(world)
    assert "expected json.digit = 7" in status.aliases[0].messages[0]
    assert status.health.health is Health.DEGRADED


def test_a_removed_alias_is_held_with_the_command_that_releases_it() -> None:
    world = serving()
    world.declare(deployment([V1, V2], {}), changed=(alias_file("production"),))
    world.settle()
    status = status_of(world)
    assert status.health.health is Health.SUSPENDED
    assert (status.aliases[0].wants, status.aliases[0].state) == (None, "held")
    found = verdict(overview(status))
    assert found is not None
    assert found.hint == "pointsman allow-prune americas"


def test_a_version_that_lost_its_alias_is_kept_warm_until_a_moment() -> None:
    world = serving()
    world.declare(deployment([V1, V2], {"production": V2}))
    for _ in range(8):
        made = world.run()
        world.now = made.wake + 0.001 if made.wake and made.wake < world.now + 60 else world.now
    status = status_of(world)
    left = next(found for found in status.versions if found.name == V1)
    assert left.state == "warm"
    assert left.until is not None
    assert left.until > world.now
    assert "warm until " in text(status)


def failed_build() -> World:
    world = serving()
    world.declare(deployment({V1: version(V1), V3: version(V3)}, {"production": V3}))
    missing = {w.endpoint: w.spec.key for (v, _), w in world.desired().workloads.items() if v == V3}
    world.built = lambda key: key not in missing.values()
    world.unbuildable = {missing["predict"]: "no such package"}
    made = world.run()
    world.record = replace(world.record, conditions=conditions_after(made, (), world.now))
    return world


def test_a_build_failure_fails_the_alias_that_waits_for_it() -> None:
    status = status_of(failed_build())
    assert status.aliases[0].state == "failed"
    assert status.aliases[0].messages[0] == "predict: the image cannot be built: no such package"
    assert any("greet: its image" in gate.message for gate in status.gates)
    assert states(status)[V3] == "failed"
    found = verdict(overview(status))
    assert found is not None
    assert not found.serves


def test_a_build_failure_is_no_verdict_on_a_version_with_other_code() -> None:
    world = failed_build()
    world.declare(deployment({V1: version(V1), V2: version(V2)}, {"production": V2}))
    assert status_of(world).failures == ()


def test_without_git_the_records_conditions_speak() -> None:
    world = serving()
    world.record = replace(world.record, conditions=conditions_after(world.plan(), (), world.now))
    status = status_of(world, read=False)
    assert (status.settled, status.health.health) == (None, Health.HEALTHY)
    assert [(alias.name, alias.version, alias.wants) for alias in status.aliases] == [("production", V1, None)]
    assert [(found.name, found.commit, found.state) for found in status.versions] == [(V2, None, "idle"), (V1, None, "serving")]


def test_without_a_controller_nothing_is_claimed_and_nothing_waited_for() -> None:
    status = status_of(serving(), running=False)
    assert status.health.health is Health.UNKNOWN
    found = verdict(overview(status, pid=None))
    assert found is not None
    assert (found.serves, found.hint) == (False, "pointsman up")


def test_one_alias_does_not_wait_for_another() -> None:
    world = serving()
    world.behaviour = lambda workload: "crash" if "20181004" in workload else "ready"
    world.declare(deployment([V1, V2, V3], {"production": V2, "staging": V3}))
    world.settle()
    whole = status_of(world)
    good, bad = only_alias(whole, "production"), only_alias(whole, "staging")
    ended = verdict(overview(good)), verdict(overview(bad))
    assert [found.serves for found in ended if found] == [True, False]
    assert all(gate.subject == Subject("alias", "americas/staging") for gate in bad.failures)
    assert {found.name for found in good.versions} == {V2}


def test_an_alias_of_a_suspended_unit_does_not_serve_what_git_wants() -> None:
    world = serving()
    world.record = world.record.with_facts([Fact(FactKind.SUSPENDED, "unit", "", "", world.now, "load test")])
    world.declare(deployment([V1, V2], {"production": V2}))
    status = only_alias(status_of(world), "production")
    assert (status.settled, status.aliases[0].version) == (False, V1)
    found = verdict(overview(status))
    assert found is not None
    assert (found.serves, found.reason, found.hint) == (False, "americas: load test", "pointsman resume americas")


def test_what_is_held_of_another_alias_is_no_suspension() -> None:
    world = serving()
    world.declare(deployment([V1, V2], {"production": V1, "staging": V2}))
    world.settle()
    world.behaviour = lambda workload: "pending" if "20181004" in workload else "ready"
    world.declare(deployment([V1, V2, V3], {"production": V3}), changed=(alias_file("staging"),))
    world.run()
    whole = status_of(world)
    assert (whole.health.health, bool(whole.holds)) == (Health.SUSPENDED, True)
    assert verdict(overview(only_alias(whole, "production"))) is None


def test_a_unit_of_which_git_changed_nothing_stays_at_its_revision_and_says_so() -> None:
    status = replace(status_of(serving()), attempted=f"main@sha1:{'4' * 40}", applied=f"main@sha1:{'4' * 40}")
    assert "(nothing changed here since)" not in text(status)
    newer = replace(overview(status), revision=f"main@sha1:{'5' * 40}")
    assert "at main@4444444444 (nothing changed here since)" in "\n".join(line.plain for line in lines(newer))


def test_times_are_told_as_rfc_3339_in_utc() -> None:
    status = replace(status_of(serving()), conditions=(Condition("Ready", "True", "Serving", "", 1538575509.5),))
    [unit] = document(overview(status))["units"]
    assert [condition["since"] for condition in unit["conditions"]] == ["2018-10-03T14:05:09Z"]
    assert {version["until"] for version in unit["versions"]} == {None}


def test_a_record_alone_says_what_is_waited_for_beside_what_failed() -> None:
    failed, waits = "19990101.0: its image cannot be built", "production → 20181003.0 waits: predict: its base cannot be pulled"
    conditions = (
        Condition("Stalled", "True", "BuildFailed", failed, since=1.0),
        Condition("Reconciling", "True", "Building", waits, since=1.0),
    )
    status = replace(status_of(serving()), settled=None, conditions=conditions, health=Assessment(Health.DEGRADED, failed))
    assert [failed in text(status), waits in text(status)] == [True, True]
    assert text(replace(status, health=Assessment(Health.PROGRESSING, waits))).count(waits) == 1

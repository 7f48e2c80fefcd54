"""What a person is told while a controller works: phases of versions, and waits that last."""

from __future__ import annotations

import pytest

from controller.cli.phases import PATIENCE, Phase, SlowGates, phases_of
from controller.model.changes import Gate, Plan
from controller.model.declared import Alias, DeclaredState, Deployment
from controller.model.diagnostics import Location, Subject
from controller.model.identity import UnitKey
from controller.model.source import Revision

pytestmark = pytest.mark.pure

PRODUCTION = Subject("alias", "americas/production")


def plan(*gates: Gate) -> Plan:
    return Plan(UnitKey("ruksi", "mnist", "americas"), "main@sha1:1", 0.0, gates=gates)


def declared(version: str) -> DeclaredState:
    aliases = {"production": Alias("production", version, Location("production.yaml"))}
    return DeclaredState(Revision("main", "1"), deployments={"americas": Deployment("americas", {}, aliases)})


def test_a_version_has_come_as_far_as_the_last_of_its_endpoints() -> None:
    waiting = plan(Gate(PRODUCTION, "GoldenRequests", ""), Gate(PRODUCTION, "NotReady", ""))
    assert phases_of([waiting], [declared("2")]) == {"2": Phase.STARTING}


def test_what_no_alias_names_has_no_phase() -> None:
    waiting = plan(Gate(Subject("version", "3/greet-me"), "ImageMissing", ""))
    assert phases_of([waiting], [declared("2")]) == {}


def test_only_a_wait_that_lasts_is_told_and_only_once() -> None:
    slow, waiting = SlowGates(), [plan(Gate(PRODUCTION, "NotReady", "production → 2 waits: greet-me 0 of 1 ready"))]
    assert list(slow.lines(waiting, 0.0)) == []
    assert list(slow.lines(waiting, PATIENCE)) == ["americas: … production → 2 waits: greet-me 0 of 1 ready"]
    assert list(slow.lines(waiting, PATIENCE * 10)) == []


def test_a_wait_that_ended_begins_anew() -> None:
    slow, waiting = SlowGates(), [plan(Gate(PRODUCTION, "NotReady", "0 of 1 ready"))]
    list(slow.lines(waiting, 0.0))
    list(slow.lines([plan()], 1.0))
    assert list(slow.lines(waiting, PATIENCE)) == []


def test_what_only_a_person_can_end_is_told_at_once() -> None:
    waiting = [plan(Gate(PRODUCTION, "SecretMissing", "Secret api has no key token"))]
    assert list(SlowGates().lines(waiting, 0.0)) == ["americas: … Secret api has no key token"]


def test_clocks_builds_that_go_on_and_what_an_alias_says_already_are_not_told() -> None:
    gates = (
        Gate(Subject("workload", "w"), "Draining", "drains", clock=True),
        Gate(PRODUCTION, "ImageMissing", "production → 2 waits: greet-me: its image v-1 is being built"),
        Gate(Subject("version", "2/greet-me"), "NotReady", "greet-me 0 of 1 ready"),
        Gate(PRODUCTION, "NotReady", "production → 2 waits: greet-me 0 of 1 ready"),
    )
    slow = SlowGates()
    list(slow.lines([plan(*gates)], 0.0))
    assert list(slow.lines([plan(*gates)], PATIENCE)) == ["americas: … production → 2 waits: greet-me 0 of 1 ready"]

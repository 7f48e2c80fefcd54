"""What shares its cause is said once."""

from __future__ import annotations

import pytest

from controller.model.changes import Gate
from controller.model.declared import EndpointSettings, SecretRef
from controller.model.diagnostics import Subject
from controller.plan.conditions import conditions_after
from controller.plan.grouping import grouped
from tests.plan.world import World, deployment

pytestmark = pytest.mark.pure

FAILED = "its build failed and is tried again: the requirements cannot be installed:\nno network: at all"
PRODUCTION, STAGING = Subject("alias", "americas/production"), Subject("alias", "americas/staging")


def words(*gates: Gate) -> list[str]:
    return [gate.message for gate in grouped(gates)]


def test_a_build_failure_of_several_endpoints_aliases_and_versions() -> None:
    assert words(
        Gate(PRODUCTION, "ImageMissing", f"production → 2 waits: greet: {FAILED}"),
        Gate(PRODUCTION, "ImageMissing", f"production → 2 waits: predict: {FAILED}"),
        Gate(STAGING, "ImageMissing", f"staging → 2 waits: greet: {FAILED}"),
        Gate(Subject("version", "2/greet"), "ImageMissing", f"greet: {FAILED}"),
        Gate(Subject("version", "3/greet"), "ImageMissing", f"greet: {FAILED}"),
        Gate(Subject("version", "3/predict"), "ImageMissing", f"predict: {FAILED}"),
    ) == [f"production → 2, staging → 2 wait: greet, predict: {FAILED}", f"3/greet, 3/predict: {FAILED}"]


def test_what_only_one_endpoint_says_names_its_version_too() -> None:
    assert words(Gate(Subject("version", "3/greet"), "BuildFailed", f"greet: {FAILED}")) == [f"3/greet: {FAILED}"]


def test_a_secret_that_several_endpoints_lack() -> None:
    lacks = "Secret api has no key token (pointsman secret set api token)"
    gates = [Gate(Subject("version", f"{v}/greet"), "SecretMissing", f"greet: {lacks}") for v in (1, 2)]
    assert words(*gates) == [f"1/greet, 2/greet: {lacks}"]


def test_the_conditions_of_a_unit_name_each_missing_input_once() -> None:
    made = World()
    made.built = lambda key: False
    made.declare(
        deployment(["1", "2"], {"production": "2"}, EndpointSettings(environment={"TOKEN": SecretRef("api", "token")}))
    )
    (ready, reconciling) = conditions_after(made.plan(), (), 0.0)
    assert ready.message == reconciling.message
    assert ready.message.split("; ") == [
        "production → 2 waits: greet, predict: its image is being built",
        "production → 2 waits: greet, predict: Secret api has no key token (pointsman secret set api token)",
        "1/greet, 1/predict: its image is being built (and 1 more)",
    ]


def test_workloads_that_are_kept_warm_are_one_line_until_the_last_one() -> None:
    gates = [
        Gate(Subject("workload", f"w-{n}"), "KeepWarm", f"v{n // 2}: w-{n} is kept warm", until=float(n), clock=True)
        for n in range(4)
    ]
    (one,) = grouped(gates)
    assert (one.message, one.until, one.clock) == ("v0, v1: is kept warm", 3.0, True)


def test_what_stands_alone_stays_as_it_is() -> None:
    gates = (
        Gate(PRODUCTION, "NotReady", "production → 2 waits: greet 0 of 1 ready"),
        Gate(Subject("workload", "w-1"), "Draining", "v1: w-1 finishes its requests", until=1.0, clock=True),
        Gate(Subject("unit"), "Suspended", "suspended: pointsman resume continues"),
    )
    assert grouped(gates) == gates


def test_aliases_that_wait_for_the_same_endpoint() -> None:
    gates = [Gate(s, "NotReady", f"{s.name.split('/')[1]} → 2 waits: greet 0 of 1 ready") for s in (PRODUCTION, STAGING)]
    assert words(*gates) == ["production → 2, staging → 2 wait: greet 0 of 1 ready"]

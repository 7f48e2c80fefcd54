"""A plan reads well, says why everything else waits, and gives nothing away."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from controller.model.changes import Change, FieldChange, Gate, Hold, Operation, Plan
from controller.model.conditions import Condition
from controller.model.declared import EndpointSettings, SecretRef
from controller.model.diagnostics import Subject
from controller.model.identity import ObjectKey
from controller.plan import report
from controller.plan.conditions import conditions_after
from tests.plan.world import UNIT, World, alias_file, deployment

pytestmark = pytest.mark.pure
V1, V2 = "20181002.0", "20181003.0"
ALIAS = Subject("alias", "americas/production")
ROUTE = ObjectKey("HTTPRoute", "ruksi-mnist", "greet-production-1")
FIELDS = (FieldChange("spec.x", None, "2"),)
PLAN = Plan(
    UNIT,
    "main@sha1:4f1c0e",
    1.0,
    changes=(
        Change(Operation.CREATE, ObjectKey("Deployment", "ruksi-mnist", "greet-2"), "20181003.0/greet"),
        Change(
            Operation.UPDATE, ROUTE, "production/greet: 20181002.0 → 20181003.0", fields=(FieldChange("spec.x", None, "2"),)
        ),
        Change(Operation.DELETE, ObjectKey("Service", "ruksi-mnist", "greet-0"), "20181001.0 is no longer declared"),
    ),
    gates=(Gate(ALIAS, "NotReady", "production → 20181003.0 waits: predict 1 of 2 ready", 5.0),),
    holds=(Hold(ALIAS, "AliasRemoved", "alias old disappeared from git", "pointsman allow-prune americas"),),
    failures=(Gate(ALIAS, "GivenUp", "staging → 20181003.0 was given up after 600 s"),),
    warnings=("requests will fail",),
    unchanged=4,
)
BODY = """\
+ Deployment greet-2  20181003.0/greet
~ HTTPRoute greet-production-1  production/greet: 20181002.0 → 20181003.0
    spec.x: (absent) → 2
- Service greet-0  20181001.0 is no longer declared
… production → 20181003.0 waits: predict 1 of 2 ready
! staging → 20181003.0 was given up after 600 s
# held: alias old disappeared from git
    hint: pointsman allow-prune americas
! warning: requests will fail
"""
SUMMARY = "1 to create, 1 to update, 1 to delete, 1 waiting, 1 failed, 1 held"


def test_text() -> None:
    head = f"ruksi/mnist/americas at main@sha1:4f1c0e: {SUMMARY}\n"
    assert report.to_text(PLAN) == head + "".join(f"  {line}\n" for line in BODY.splitlines())


def test_markdown() -> None:
    assert report.to_markdown(PLAN) == f"### ruksi/mnist/americas: {SUMMARY}\n\n```diff\n{BODY}```\n"


def test_nothing_to_do() -> None:
    assert report.to_text(Plan(UNIT, "r", 1.0, unchanged=7)).endswith("nothing to do (7 objects unchanged)\n")
    assert "```" not in report.to_markdown(Plan(UNIT, "r", 1.0))


def test_what_an_endpoint_says_cannot_leave_its_line_or_block() -> None:
    hostile = replace(PLAN, gates=(Gate(ALIAS, "NotReady", "x\n```\n# Approved\x1b[31m"),))
    assert "\n# Approved" not in report.to_markdown(hostile)
    assert report.to_markdown(hostile).endswith("\n````\n")
    assert "\x1b" not in report.to_text(hostile)


def test_many_fields_are_counted_and_shown_on_request() -> None:
    fields = tuple(FieldChange(f"spec.f{n}", "", "x") for n in range(10))
    made = Plan(UNIT, "r", 1.0, changes=(Change(Operation.UPDATE, ROUTE, "why", fields=fields),))
    assert "and 2 more fields" in report.to_text(made)
    assert "spec.f9:  → x" in report.to_text(made, verbose=True)


def test_json_is_plain_data() -> None:
    world = World()
    world.declare(deployment([V1], {"production": V1}))
    document = report.to_json(world.plan())
    assert json.loads(json.dumps(document)) == document


def test_the_fingerprint_ignores_clocks_and_revisions_and_sees_everything_else() -> None:
    world = World()
    world.declare(deployment([V1], {"production": V1}))
    first = world.plan()
    world.now += 100
    world.declare(deployment([V1], {"production": V1}))
    assert report.fingerprint(world.plan()) == report.fingerprint(first)
    world.declare(deployment([V1, V2], {"production": V1}))
    assert report.fingerprint(world.plan()) != report.fingerprint(first)
    assert report.fingerprint(replace(first, holds=PLAN.holds)) != report.fingerprint(first)


def test_a_secret_is_named_and_never_shown() -> None:
    world = World()
    world.secrets = {"api": frozenset({"token"})}
    world.declare(deployment([V1], {"production": V1}, EndpointSettings(environment={"TOKEN": SecretRef("api", "token")})))
    (variable,) = [
        item
        for change in report.to_json(world.plan())["changes"]
        if change["object"].startswith("Deployment") and "greet" in change["object"]
        for item in change["desired"]["spec"]["template"]["spec"]["containers"][0]["env"]
        if item["name"] == "TOKEN"
    ]
    assert "value" not in variable


# conditions


def test_conditions_of_a_release() -> None:
    world = World()
    world.declare(deployment([V1], {"production": V1}))
    first = {c.type: c for c in conditions_after(world.plan(), (), 1.0)}
    assert (first["Ready"].status, first["Ready"].reason) == ("Unknown", "Reconciling")
    assert set(first) == {"Ready", "Reconciling"}
    (done,) = conditions_after(world.settle(), first.values(), 2.0)
    assert done == Condition("Ready", "True", "Applied", "everything declared is as declared", 2.0)
    (later,) = conditions_after(world.plan(), [done], 3.0)
    assert later.since == 2.0, "the time of the last change of status"


def test_conditions_of_a_held_unit_and_of_a_failed_one() -> None:
    world = World()
    world.declare(deployment([V1], {"production": V1}))
    world.settle()
    world.declare(deployment([V1], {}), changed=(alias_file("production"),))
    held = {c.type: c for c in conditions_after(world.settle(), (), 1.0)}
    assert (held["Ready"].status, held["Stalled"].reason) == ("False", "AliasRemoved")
    failed = {c.type: c for c in conditions_after(Plan(UNIT, "r", 1.0, failures=PLAN.failures), (), 1.0)}
    assert (failed["Ready"].reason, failed["Stalled"].reason) == ("GivenUp", "GivenUp")


def test_conditions_of_a_suspended_unit() -> None:
    made = Plan(UNIT, "r", 1.0, gates=(Gate(Subject("unit"), "Suspended", "suspended"),))
    ready, _ = conditions_after(made, (), 1.0)
    assert (ready.status, ready.reason) == ("Unknown", "Suspended")

"""Why an object is changed or deleted is true, and said in words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controller.model.changes import Operation
from controller.model.declared import EndpointSettings, Rollout
from tests.plan.world import PROFILE, UNIT, World, alias_file, deployment, version

pytestmark = pytest.mark.pure
V1, V2 = "20181002.0", "20181003.0"
NOW = Rollout(keep_warm=0.0)
SETTINGS = EndpointSettings(environment={"MODE": "new"})


def serving(*versions: str) -> World:
    made = World()
    made.profile = replace(PROFILE, kind="kubernetes")
    made.declare(deployment(list(versions), {"production": versions[-1]}, rollout=NOW))
    assert made.settle().is_settled
    made.writes.clear()
    return made


def deleted(made: World) -> set[tuple[str, str]]:
    made.settle()
    return {(change.key.kind, change.reason) for change in made.writes if change.operation is Operation.DELETE}


def moved(made: World) -> set[str]:
    made.settle()
    return {c.reason for c in made.writes if c.operation is Operation.UPDATE and "production/" in c.reason}


def test_after_a_rollback_the_disruption_budgets_go_because_no_alias_names_the_version() -> None:
    made = serving(V1, V2)
    made.declare(deployment([V1, V2], {"production": V1}, rollout=NOW))
    assert deleted(made) == {("PodDisruptionBudget", f"no alias names {V2} any more")}


def test_workloads_with_other_settings_and_versions_that_are_not_declared() -> None:
    made = serving(V1, V2)
    made.declare(deployment([V2], {"production": V2}, SETTINGS, rollout=NOW))
    found = deleted(made)
    assert ("HTTPRoute", f"{V1} is no longer declared") in found
    assert {reason for kind, reason in found if kind == "Deployment"} == {
        f"{V1} is no longer declared",
        f"{V2}/greet has other settings now",
        f"{V2}/predict has other settings now",
    }


def test_an_endpoint_that_the_next_version_lacks() -> None:
    made = serving(V1)
    smaller = {V1: version(V1), V2: version(V2, ("predict",))}
    made.declare(deployment(smaller, {"production": V2}, rollout=NOW), changed=(alias_file("production"),), release=True)
    assert ("HTTPRoute", "production no longer leads to a version with endpoint greet") in deleted(made)


def test_a_deployment_that_is_gone() -> None:
    made = serving(V1)
    made.declare(None, changed=("pointsman/deployments/americas/deployment.yaml",), release=True)
    assert {reason for _, reason in deleted(made)} == {f"{UNIT.deployment} is no longer declared"}


def test_a_route_that_moves_between_versions_or_settings() -> None:
    made = serving(V1, V2)
    made.declare(deployment([V1, V2], {"production": V1}, rollout=NOW))
    assert moved(made) == {f"production/{e}: {V2} → {V1}" for e in ("greet", "predict")}
    made.writes.clear()
    made.declare(deployment([V1, V2], {"production": V1}, SETTINGS, rollout=NOW))
    assert moved(made) == {f"production/{e}: {V1} with new settings" for e in ("greet", "predict")}

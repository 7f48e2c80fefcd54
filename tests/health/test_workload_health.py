"""Deployments, workloads and units."""

from __future__ import annotations

from typing import Any

import pytest
from observed_examples import all_well, crashed, deployment, pod, ready_pod, waiting

from controller.health.aggregate import ORDER, worst
from controller.health.deployment import assess_deployment
from controller.health.workload import assess_workload
from controller.model.conditions import Assessment, Health

pytestmark = pytest.mark.pure

QUOTA = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "exceeded quota: gpus"}
LATE = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "timed out"}
FINE = {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable", "message": "ok"}

DEPLOYMENTS: dict[str, tuple[dict[str, Any], Health, str]] = {
    "all there": (all_well(), Health.HEALTHY, "2 of 2 ready"),
    "more than wanted": (
        deployment(updated=3, ready=3, available=3, total=3, conditions=(FINE,)),
        Health.HEALTHY,
        "3 of 2 ready",
    ),
    "none wanted": (deployment(wanted=0), Health.HEALTHY, "no replica wanted"),
    "no number means one": (deployment(wanted=None), Health.PROGRESSING, "0 of 1 started"),
    "not seen yet": (
        deployment(observed=2, updated=2, ready=2, available=2, total=2),
        Health.PROGRESSING,
        "the cluster has not seen the newest settings yet",
    ),
    "no status at all": (
        {"metadata": {"generation": 1}, "spec": {}},
        Health.PROGRESSING,
        "the cluster has not seen the newest settings yet",
    ),
    "not started": (deployment(updated=1, total=1), Health.PROGRESSING, "1 of 2 started"),
    "old ones left": (
        deployment(updated=2, ready=3, available=3, total=3),
        Health.PROGRESSING,
        "1 with the old settings still to end",
    ),
    "not ready": (deployment(updated=2, ready=1, available=1, total=2), Health.PROGRESSING, "1 of 2 ready"),
    "only just ready": (
        deployment(updated=2, ready=2, available=1, total=2),
        Health.PROGRESSING,
        "2 of 2 ready, not for long enough yet",
    ),
    "refused by a quota": (deployment(conditions=(QUOTA,)), Health.DEGRADED, "FailedCreate: exceeded quota: gpus"),
    "too late": (deployment(conditions=(LATE,)), Health.DEGRADED, "ProgressDeadlineExceeded: timed out"),
}


@pytest.mark.parametrize("case", DEPLOYMENTS)
def test_a_deployment(case: str) -> None:
    found, health, message = DEPLOYMENTS[case]
    assert assess_deployment(found) == Assessment(health, message)


WORKLOADS: dict[str, tuple[dict[str, Any] | None, list[dict[str, Any]], int, Health, str]] = {
    "not created": (None, [], 1, Health.MISSING, "not created yet"),
    "not wanted": (None, [], 0, Health.HEALTHY, "not running, as declared"),
    "well": (all_well(), [ready_pod()], 2, Health.HEALTHY, "2 of 2 ready"),
    "well, with one old crashed pod": (all_well(), [pod(container=crashed())], 2, Health.HEALTHY, "2 of 2 ready"),
    "fewer than the plan wants": (all_well(2), [], 3, Health.PROGRESSING, "predict-digit: 2 of 3 ready"),
    "starting": (
        deployment(updated=2, total=2),
        [pod(container=waiting("ContainerCreating"))],
        2,
        Health.PROGRESSING,
        "predict-digit: 0 of 2 ready",
    ),
    "waiting for a node": (
        deployment(updated=2, total=2),
        [pod(scheduled=(False, "0/3 nodes are available"))],
        2,
        Health.PROGRESSING,
        "predict-digit: waits for capacity: 0/3 nodes are available",
    ),
    "crashing": (
        deployment(updated=2, total=2),
        [pod(container=crashed("ModuleNotFoundError: No module named 'flask'"))],
        2,
        Health.DEGRADED,
        "predict-digit: exited with code 1 three times: ModuleNotFoundError: No module named 'flask'",
    ),
    "too late and silent": (
        deployment(conditions=(LATE,)),
        [pod(container={"state": {"running": {}}})],
        2,
        Health.DEGRADED,
        "predict-digit: runs, but does not answer GET /healthz on port 8000",
    ),
}


@pytest.mark.parametrize("case", WORKLOADS)
def test_a_workload(case: str) -> None:
    found, pods, wanted, health, message = WORKLOADS[case]
    assert assess_workload(found, pods, wanted) == Assessment(health, message)


def test_the_worst_wins_with_its_own_words() -> None:
    several = [Assessment(Health.PROGRESSING, "a"), Assessment(Health.DEGRADED, "b"), Assessment(Health.DEGRADED, "c")]
    assert worst(several) == Assessment(Health.DEGRADED, "b (and 1 more)")
    assert worst([Assessment(Health.HEALTHY, "2 of 2 ready")]) == Assessment(Health.HEALTHY)
    assert worst([]) == Assessment(Health.HEALTHY)


def test_every_health_has_its_place() -> None:
    assert set(ORDER) == set(Health)

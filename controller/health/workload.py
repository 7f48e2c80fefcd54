"""One workload as a whole: what its Deployment counts, explained by its pods."""

from __future__ import annotations

from collections.abc import Iterable

from controller.health.deployment import assess_deployment
from controller.health.pod import worst_problem
from controller.model import labels
from controller.model.conditions import Assessment, Health
from controller.model.objects import Object, annotation, at


def assess_workload(deployment: Object | None, pods: Iterable[Object], wanted: int) -> Assessment:
    """Missing, Progressing, Healthy or Degraded against `wanted` replicas, which an autoscaler may exceed.

    The message of a Degraded one begins with the endpoint and holds its own last words.
    """
    if deployment is None:
        text = "not running, as declared" if wanted == 0 else "not created yet"
        return Assessment(Health.HEALTHY if wanted == 0 else Health.MISSING, text)
    told = assess_deployment(deployment)
    ready = int(at(deployment, "status", "readyReplicas", default=0))
    if told.health is Health.HEALTHY and ready < wanted:
        told = Assessment(Health.PROGRESSING, f"{ready} of {wanted} ready")
    if told.health is Health.HEALTHY:
        return told
    return _explained(told, deployment, pods)


def _explained(told: Assessment, deployment: Object, pods: Iterable[Object]) -> Assessment:
    endpoint = annotation(deployment, labels.ENDPOINT)
    prefix = f"{endpoint}: " if endpoint else ""
    problem = worst_problem(pods)
    if problem is None or problem.severity == 0:
        return Assessment(told.health, prefix + told.message)
    failing = problem.severity == 2 or told.health is Health.DEGRADED
    return Assessment(Health.DEGRADED if failing else told.health, prefix + problem.message)

"""What a Deployment says of itself: the counts of its replicas, once it has seen its newest settings."""

from __future__ import annotations

from controller.model.conditions import Assessment, Health
from controller.model.objects import Object, at


def assess_deployment(deployment: Object) -> Assessment:
    """Healthy when every wanted replica is of the newest settings and has been ready for `minReadySeconds`.

    `observedGeneration` comes first: older counts are about older settings. Without `spec.replicas` the API server
    runs one.
    """
    status = at(deployment, "status", default={})
    if status.get("observedGeneration", 0) < at(deployment, "metadata", "generation", default=0):
        return Assessment(Health.PROGRESSING, "the cluster has not seen the newest settings yet")
    if refused := _refusal(deployment):
        return Assessment(Health.DEGRADED, refused)
    wanted = int(at(deployment, "spec", "replicas", default=1))
    return _count(status, wanted)


def replica_failure(deployment: Object) -> str | None:
    """Why pods cannot be made: a quota, an admission rule."""
    return _words(deployment, "ReplicaFailure", "True")


def _refusal(deployment: Object) -> str | None:
    """That, or that no pod came up within the Deployment's own deadline."""
    return replica_failure(deployment) or _words(deployment, "Progressing", "False", "ProgressDeadlineExceeded")


def _words(deployment: Object, kind: str, status: str, reason: str | None = None) -> str | None:
    for condition in at(deployment, "status", "conditions", default=()):
        if (condition.get("type"), condition.get("status")) == (kind, status) and reason in (None, condition.get("reason")):
            return f"{condition.get('reason')}: {condition.get('message', '')}".rstrip(": ")
    return None


def _count(status: Object, wanted: int) -> Assessment:
    updated, ready = status.get("updatedReplicas", 0), status.get("readyReplicas", 0)
    available, total = status.get("availableReplicas", 0), status.get("replicas", 0)
    if updated < wanted:
        return Assessment(Health.PROGRESSING, f"{updated} of {wanted} started")
    if total > updated:
        return Assessment(Health.PROGRESSING, f"{total - updated} with the old settings still to end")
    if ready < wanted:
        return Assessment(Health.PROGRESSING, f"{ready} of {wanted} ready")
    if available < wanted:
        return Assessment(Health.PROGRESSING, f"{ready} of {wanted} ready, not for long enough yet")
    return Assessment(Health.HEALTHY, f"{ready} of {wanted} ready" if wanted else "no replica wanted")

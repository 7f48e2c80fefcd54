"""Kubernetes' own words for what the replicas do: Pod, EndpointSlice and Deployment status. Pure: time is an argument."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from controller.embedded.runtime.specification import ReplicaSpec
from controller.model import labels
from controller.model.objects import API_VERSIONS, Object, at

ADDRESS = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Termination:
    """How the last instance ended. `message` is the endpoint's own last output; `reason` where the code does not say it."""

    code: int | None
    message: str
    started: float
    finished: float
    reason: str | None = None

    @property
    def status(self) -> dict[str, Any]:
        known = {} if self.code is None else {"exitCode": self.code}
        reason = self.reason or ("Completed" if self.code == 0 else "Error")
        times = {"startedAt": timestamp(self.started), "finishedAt": timestamp(self.finished)}
        return {**known, "reason": reason, "message": self.message, **times}


@dataclass(frozen=True, slots=True)
class ReplicaStatus:
    """What one replica does now. `waiting` is the reason why no process runs; `message` explains that, or unreadiness."""

    name: str
    created: float
    waiting: str | None = "ContainerCreating"
    message: str = ""
    running_since: float | None = None
    port: int | None = None
    ready_since: float | None = None
    available: bool = False
    terminating: bool = False
    restarts: int = 0
    last: Termination | None = None

    @property
    def serving(self) -> bool:
        """Its server answers, also while it drains: its Pod stays ready then, only its slice does not (as on Kubernetes)."""
        return self.ready_since is not None

    @property
    def ready(self) -> bool:
        return self.ready_since is not None and not self.terminating


def timestamp(seconds: float) -> str:
    """Seconds since the epoch as the API server prints times."""
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def pod_object(spec: ReplicaSpec, status: ReplicaStatus) -> dict[str, Any]:
    """The Pod without its status."""
    container = {"name": "endpoint", "image": spec.image}
    return {
        "apiVersion": API_VERSIONS["Pod"],
        "kind": "Pod",
        "metadata": _meta(spec, status.name, {labels.WORKLOAD: spec.workload}),
        "spec": {"containers": [container]},
    }


def pod_status(spec: ReplicaSpec, status: ReplicaStatus) -> dict[str, Any]:
    """`status` of the Pod; where it is not ready, `message` and the Ready condition say why."""
    container = {
        "name": "endpoint",
        "image": spec.image,
        "ready": status.serving,
        "restartCount": status.restarts,
        "state": _container_state(status),
        "lastState": {"terminated": status.last.status} if status.last else {},
    }
    since = status.ready_since or status.running_since or status.created
    message = "" if status.serving else status.message
    return {
        "phase": "Running" if status.running_since or status.last else "Pending",
        "startTime": timestamp(status.created),
        "podIP": ADDRESS,
        "message": message,
        "conditions": [_condition("Ready", status.serving, "" if status.serving else "ContainersNotReady", message, since)],
        "containerStatuses": [container],
    }


def slice_object(spec: ReplicaSpec, status: ReplicaStatus, port: int) -> dict[str, Any]:
    """The EndpointSlice of one replica; `serving` stays true while a terminating one still answers."""
    conditions = {"ready": status.ready, "serving": status.serving, "terminating": status.terminating}
    target = {"kind": "Pod", "namespace": spec.namespace, "name": status.name}
    return {
        "apiVersion": API_VERSIONS["EndpointSlice"],
        "kind": "EndpointSlice",
        "metadata": _meta(spec, status.name, {labels.SERVICE_NAME: spec.workload, labels.WORKLOAD: spec.workload}),
        "addressType": "IPv4",
        "endpoints": [{"addresses": [ADDRESS], "conditions": conditions, "targetRef": target}],
        "ports": [{"name": "http", "port": port, "protocol": "TCP"}],
    }


def deployment_status(
    deployment: Object, wanted: int, current: Sequence[ReplicaStatus], old: Sequence[ReplicaStatus], now: float
) -> dict[str, Any]:
    """`status` of the Deployment from its current and its outdated replicas."""
    everyone = [s for s in (*current, *old) if not s.terminating]
    available = _count(s.available for s in everyone)
    updated = _count(not s.terminating for s in current)
    complete = updated == wanted == available == len(everyone)
    previous = {c["type"]: c for c in at(deployment, "status", "conditions", default=())}
    conditions = [
        _condition("Available", available >= wanted, *_availability(available, wanted), now),
        _condition("Progressing", True, "NewReplicaSetAvailable" if complete else "ReplicaSetUpdated", "", now),
    ]
    return {
        "observedGeneration": at(deployment, "metadata", "generation", default=0),
        "replicas": len(everyone),
        "updatedReplicas": updated,
        "readyReplicas": _count(s.ready for s in everyone),
        "availableReplicas": available,
        "unavailableReplicas": max(0, wanted - available),
        "conditions": [_with_old_time(c, previous.get(c["type"])) for c in conditions],
    }


def _availability(available: int, wanted: int) -> tuple[str, str]:
    if available >= wanted:
        return "MinimumReplicasAvailable", f"{available} of {wanted} replicas are available"
    return "MinimumReplicasUnavailable", f"{available} of {wanted} replicas are available"


def _container_state(status: ReplicaStatus) -> dict[str, Any]:
    if status.running_since is not None:
        return {"running": {"startedAt": timestamp(status.running_since)}}
    return {"waiting": {"reason": status.waiting or "ContainerCreating", "message": status.message}}


def _condition(kind: str, holds: bool, reason: str, message: str, since: float) -> dict[str, Any]:
    text = "True" if holds else "False"
    return {"type": kind, "status": text, "reason": reason, "message": message, "lastTransitionTime": timestamp(since)}


def _with_old_time(condition: dict[str, Any], previous: Object | None) -> dict[str, Any]:
    """A condition keeps the time of the last change of its status."""
    if previous and previous["status"] == condition["status"]:
        return {**condition, "lastTransitionTime": previous["lastTransitionTime"]}
    return condition


def _meta(spec: ReplicaSpec, name: str, more: Mapping[str, str]) -> dict[str, Any]:
    annotations = {k: v for k, v in spec.annotations.items() if k != labels.METADATA}
    return {"name": name, "namespace": spec.namespace, "labels": {**spec.labels, **more}, "annotations": annotations}


def _count(values: Iterable[bool]) -> int:
    return sum(1 for value in values if value)

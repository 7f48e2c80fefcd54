"""What was seen of one unit, and how each of its endpoints is. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from controller.health.workload import assess_workload
from controller.model import labels
from controller.model.conditions import Health
from controller.model.identity import UnitKey
from controller.model.objects import Object, annotation, at
from controller.model.observed import ObservedState
from controller.model.record import UnitRecord


@dataclass(frozen=True)
class Seen:
    """One unit on its target at one moment (`now` in epoch seconds). `url` is the gateway's, without a trailing slash."""

    unit: UnitKey
    record: UnitRecord
    observed: ObservedState
    url: str
    now: float

    @cached_property
    def _owned(self) -> tuple[Object, ...]:
        return tuple(obj for obj in self.observed.objects.values() if annotation(obj, labels.UNIT_NAME) == str(self.unit))

    @cached_property
    def deployments(self) -> Mapping[str, Object]:
        """The Deployments of workloads by name."""
        return {obj["metadata"]["name"]: obj for obj in self._owned if obj["kind"] == "Deployment"}

    @cached_property
    def alias_routes(self) -> Mapping[str, Mapping[str, Object]]:
        """Each alias's routes by endpoint."""
        found: dict[str, dict[str, Object]] = defaultdict(dict)
        for obj in self._owned:
            alias = annotation(obj, labels.ALIAS)
            if obj["kind"] == "HTTPRoute" and alias:
                found[alias][annotation(obj, labels.ENDPOINT) or ""] = obj
        return dict(found)

    @cached_property
    def version_routes(self) -> Mapping[str, Mapping[str, Object]]:
        """Each version's routes by endpoint."""
        found: dict[str, dict[str, Object]] = defaultdict(dict)
        for obj in self._owned:
            version = annotation(obj, labels.VERSION)
            if obj["kind"] == "HTTPRoute" and version and not annotation(obj, labels.ALIAS):
                found[version][annotation(obj, labels.ENDPOINT) or ""] = obj
        return dict(found)


@dataclass(frozen=True, slots=True)
class EndpointStatus:
    """One URL and the workload behind it; `ready` of `wanted` replicas answer. `message` is the endpoint's own words.

    `restarts` are those of the replica that was started again most often.
    """

    endpoint: str
    version: str | None
    workload: str | None
    ready: int
    wanted: int
    health: Health
    message: str
    url: str | None
    restarts: int = 0


def endpoint_status(seen: Seen, endpoint: str, workload: str | None, path: str | None) -> EndpointStatus:
    """The state of the workload that a URL leads to, or will."""
    deployment = seen.deployments.get(workload or "")
    wanted = 1
    if deployment is not None:
        wanted = int(at(deployment, "spec", "replicas", default=at(deployment, "status", "replicas", default=0)))
    told = assess_workload(deployment, seen.observed.pods.get(workload or "", ()), wanted)
    return EndpointStatus(
        endpoint=endpoint,
        version=annotation(deployment, labels.VERSION) if deployment else None,
        workload=workload,
        ready=int(at(deployment or {}, "status", "readyReplicas", default=0)),
        wanted=wanted,
        health=told.health,
        message=told.message,
        url=f"{seen.url}{path}" if path else None,
        restarts=max(map(_restarts, seen.observed.pods.get(workload or "", ())), default=0),
    )


def _restarts(pod: Object) -> int:
    return max((int(c.get("restartCount", 0)) for c in at(pod, "status", "containerStatuses", default=())), default=0)

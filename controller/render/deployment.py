"""The Deployment of a workload, without `replicas`: the plan or an autoscaler decides those."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from controller.model import labels
from controller.model.declared import Environment, Rollout
from controller.model.images import CODE_DIRECTORY
from controller.render import metadata, probes, security
from controller.render.command import Command
from controller.render.environment import literal, variables
from controller.render.names import service_account_name
from controller.render.scope import Scope

CONTAINER = "endpoint"
PRE_STOP = 20
"""Seconds in which a pod that ends still answers: proxies learn later than kubelet (10 to 30 s were seen)."""

END_GRACE = 5
PROGRESS_GRACE = 900
"""Seconds beyond the rollout's own deadline, which does not count scheduling and pulling, before Kubernetes says so too."""


@dataclass(frozen=True, slots=True)
class PodSettings:
    """Everything about a workload's pods. `probe`, `resources` and `placement` are in Kubernetes' own form."""

    image: str
    command: Command
    environment: Environment
    resources: Mapping[str, Any]
    placement: Mapping[str, Any]
    probe: dict[str, Any]
    metadata: str
    timeout: float


def deployment(scope: Scope, name: str, pods: PodSettings, rollout: Rollout, annotations: dict[str, str]) -> dict[str, Any]:
    """The Deployment; its pods carry the same labels, so that a Service, a budget and we find them."""
    spec = {
        **({"minReadySeconds": seconds} if (seconds := scope.target.min_ready_seconds) else {}),
        "progressDeadlineSeconds": math.ceil(rollout.deadline) + PROGRESS_GRACE,
        "revisionHistoryLimit": 1,  # versions are separate objects
        "selector": {"matchLabels": {labels.WORKLOAD: name}},
        "strategy": _strategy(rollout.strategy),
        "template": _template(scope, name, pods, annotations),
    }
    return scope.object("Deployment", name, {"spec": spec}, workload=name, annotations=annotations)


def _strategy(strategy: str) -> dict[str, Any]:
    if strategy == "recreate":
        return {"type": "Recreate"}
    return {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}


def _template(scope: Scope, name: str, pods: PodSettings, annotations: dict[str, str]) -> dict[str, Any]:
    said = {labels.UNIT_NAME: str(scope.unit), **annotations, labels.METADATA: pods.metadata}
    spec = {
        "automountServiceAccountToken": False,
        "containers": [_container(pods, scope.target.security)],
        "enableServiceLinks": False,  # they would fill the environment with every Service of the namespace
        "securityContext": security.pod_context(scope.target.security),
        "serviceAccountName": service_account_name(scope.unit),
        "terminationGracePeriodSeconds": PRE_STOP + math.ceil(pods.timeout) + END_GRACE,
        "topologySpreadConstraints": [_spread(name, key) for key in ("kubernetes.io/hostname", "topology.kubernetes.io/zone")],
        "volumes": [metadata.volume()],
        **pods.placement,
    }
    return {"metadata": {"annotations": said, "labels": scope.labels(name)}, "spec": spec}


def _container(pods: PodSettings, profile: str) -> dict[str, Any]:
    found = {
        "command": [literal(part) for part in pods.command.arguments],
        "env": variables(pods.environment),
        "image": pods.image,
        "imagePullPolicy": "IfNotPresent",
        "lifecycle": {"preStop": {"sleep": {"seconds": PRE_STOP}}},
        "name": CONTAINER,
        "ports": [{"containerPort": pods.command.port, "name": probes.PORT_NAME, "protocol": "TCP"}],
        "securityContext": security.container_context(profile, pods.command.port),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [metadata.mount()],
        "workingDir": CODE_DIRECTORY,
        **probes.probes(pods.probe),
    }
    return {**found, "resources": pods.resources} if pods.resources else found


def _spread(name: str, topology: str) -> dict[str, Any]:
    """Replicas apart from each other where that is possible."""
    return {
        "labelSelector": {"matchLabels": {labels.WORKLOAD: name}},
        "maxSkew": 1,
        "topologyKey": topology,
        "whenUnsatisfiable": "ScheduleAnyway",
    }

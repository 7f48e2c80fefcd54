"""What a Deployment asks of one replica, as a frozen value. Reads the object, touches nothing."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from controller.model import labels
from controller.model.identity import content_hash
from controller.model.images import CODE_DIRECTORY, OWN_DIRECTORY
from controller.model.objects import Object, at

SHIM = f"{OWN_DIRECTORY}/shim.py"


@dataclass(frozen=True, slots=True)
class Probe:
    """How readiness is asked for: an HTTP path, or None for a TCP connection. `timeout` in seconds."""

    path: str | None = None
    timeout: float = 1.0


@dataclass(frozen=True, slots=True)
class ReplicaSpec:
    """One replica to run. `port` is the declared one, `backend` the port behind a shim.

    `template` identifies the pod template: another hash means another replica. `grace` is in seconds. `limits`, `requests`
    and `security` are the container's, as Kubernetes writes them; only containers keep them.
    """

    namespace: str
    workload: str
    image: str
    command: tuple[str, ...]
    port: int
    template: str
    variables: tuple[Mapping[str, Any], ...] = ()
    probe: Probe = Probe()
    min_ready: float = 0.0
    grace: float = 30.0
    backend: int | None = None
    metadata: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    directory: str = CODE_DIRECTORY
    limits: Mapping[str, str] = field(default_factory=dict)
    requests: Mapping[str, str] = field(default_factory=dict)
    security: Mapping[str, Any] = field(default_factory=dict)
    non_root: bool = False

    @property
    def ports(self) -> tuple[int, ...]:
        """Every port that the replica's processes bind and that therefore needs one of its own on this host."""
        return (self.port,) if self.backend is None else (self.port, self.backend)


def replica_spec(deployment: Object) -> ReplicaSpec:
    """Read a Deployment. Raises ValueError with a sentence for a person where it cannot be run."""
    template = at(deployment, "spec", "template", default={})
    container = at(template, "spec", "containers", 0, default={})
    command = tuple(str(part) for part in [*(container.get("command") or ()), *(container.get("args") or ())])
    port = at(container, "ports", 0, "containerPort")
    if not command or not port or not container.get("image"):
        raise ValueError("the Deployment's container needs an image, a command and a containerPort")
    meta = template.get("metadata") or {}
    return ReplicaSpec(
        namespace=deployment["metadata"]["namespace"],
        workload=deployment["metadata"]["name"],
        image=container["image"],
        command=command,
        port=int(port),
        template=content_hash(template, 16),
        variables=tuple(container.get("env") or ()),
        probe=_probe(at(container, "readinessProbe", default={})),
        min_ready=float(at(deployment, "spec", "minReadySeconds", default=0)),
        grace=_grace(template),
        backend=_backend(command),
        metadata=(meta.get("annotations") or {}).get(labels.METADATA),
        labels=meta.get("labels") or {},
        annotations=meta.get("annotations") or {},
        directory=container.get("workingDir") or CODE_DIRECTORY,
        limits=at(container, "resources", "limits", default={}),
        requests=at(container, "resources", "requests", default={}),
        security=container.get("securityContext") or {},
        non_root=bool(at(template, "spec", "securityContext", "runAsNonRoot", default=False)),
    )


def wanted_replicas(deployment: Object, autoscaler: Object | None) -> int:
    """`spec.replicas`; where an autoscaler owns it, its minimum (embedded, an autoscaler is inert); else 1."""
    fallback = at(autoscaler, "spec", "minReplicas", default=1) if autoscaler else 1
    return int(at(deployment, "spec", "replicas", default=fallback))


def recreates(deployment: Object) -> bool:
    """Whether the old replica must be gone before a new one starts."""
    return bool(at(deployment, "spec", "strategy", "type") == "Recreate")


def _probe(probe: Object) -> Probe:
    timeout = float(at(probe, "timeoutSeconds", default=1))
    return Probe(path=at(probe, "httpGet", "path"), timeout=timeout)


def _grace(template: Object) -> float:
    """The time between SIGTERM and SIGKILL: the template's whole grace period without its preStop sleep."""
    total = float(at(template, "spec", "terminationGracePeriodSeconds", default=30))
    sleep = float(at(template, "spec", "containers", 0, "lifecycle", "preStop", "sleep", "seconds", default=0))
    return max(1.0, math.floor(total - sleep))


def _backend(command: tuple[str, ...]) -> int | None:
    if SHIM not in command or "--backend" not in command:
        return None
    return int(command[command.index("--backend") + 1])

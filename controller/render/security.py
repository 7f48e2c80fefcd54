"""What a container may do. The profile is part of a workload's name: another one needs new pods."""

from __future__ import annotations

from typing import Any

PROFILE = "root-bounded"
"""All of Kubernetes' restricted profile except `runAsNonRoot`: most base images run as root."""

POD_SECURITY = {
    "pod-security.kubernetes.io/enforce": "baseline",
    "pod-security.kubernetes.io/warn": "restricted",
}
"""The namespace's labels: `baseline` is the strictest level that admits root."""


def pod_context() -> dict[str, Any]:
    return {"seccompProfile": {"type": "RuntimeDefault"}}


def container_context() -> dict[str, Any]:
    return {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}

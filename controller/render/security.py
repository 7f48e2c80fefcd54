"""What a container may do. The profile is part of a workload's name: another one needs new pods.

The levels are Kubernetes' own (kubernetes.io, "Pod Security Standards").
"""

from __future__ import annotations

from typing import Any

ROOT_BOUNDED = "root-bounded"
"""All of the restricted level except `runAsNonRoot`: most base images run as root."""

RESTRICTED = "restricted"
NONE = "none"

_ADMITTED = {ROOT_BOUNDED: "baseline", RESTRICTED: "restricted", NONE: "privileged"}
_FIRST_FREE_PORT = 1024


def namespace_labels(profile: str) -> dict[str, str]:
    """The strictest level that admits the profile's pods, and a warning for whatever is not restricted."""
    return {
        "pod-security.kubernetes.io/enforce": _ADMITTED[profile],
        "pod-security.kubernetes.io/warn": "restricted",
    }


def pod_context(profile: str) -> dict[str, Any]:
    """The pod's `securityContext`."""
    if profile == NONE:
        return {}
    context: dict[str, Any] = {"seccompProfile": {"type": "RuntimeDefault"}}
    return {**context, "runAsNonRoot": True} if profile == RESTRICTED else context


def container_context(profile: str, port: int) -> dict[str, Any]:
    """The container's `securityContext`; the one capability that every level admits is for ports below 1024."""
    if profile == NONE:
        return {}
    capabilities = {"drop": ["ALL"], **({"add": ["NET_BIND_SERVICE"]} if port < _FIRST_FREE_PORT else {})}
    return {"allowPrivilegeEscalation": False, "capabilities": capabilities}

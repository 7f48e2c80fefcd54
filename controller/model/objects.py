"""Kubernetes objects stay plain dicts; these few accessors read them and return changed copies, never the same dict."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from controller.model import labels
from controller.model.identity import ObjectKey, content_hash

Object: TypeAlias = Mapping[str, Any]

API_VERSIONS: Mapping[str, str] = {
    "Namespace": "v1",
    "ConfigMap": "v1",
    "Secret": "v1",
    "ServiceAccount": "v1",
    "Service": "v1",
    "Pod": "v1",
    "Deployment": "apps/v1",
    "EndpointSlice": "discovery.k8s.io/v1",
    "HorizontalPodAutoscaler": "autoscaling/v2",
    "PodDisruptionBudget": "policy/v1",
    "HTTPRoute": "gateway.networking.k8s.io/v1",
    "Gateway": "gateway.networking.k8s.io/v1",
    "GatewayClass": "gateway.networking.k8s.io/v1",
    "Middleware": "traefik.io/v1alpha1",
    "SecurityPolicy": "gateway.envoyproxy.io/v1alpha1",
    "Node": "v1",
    "Event": "events.k8s.io/v1",
    "Lease": "coordination.k8s.io/v1",
}

CLUSTER_SCOPED = frozenset({"Namespace", "Node", "GatewayClass"})

# The kinds that Pointsman writes for a unit, in the order in which they are created; deleted the other way round.
APPLY_ORDER = (
    "Namespace",
    "ServiceAccount",
    "Secret",
    "Deployment",
    "Service",
    "PodDisruptionBudget",
    "HorizontalPodAutoscaler",
    "Middleware",
    "SecurityPolicy",
    "HTTPRoute",
)


def key_of(obj: Object) -> ObjectKey:
    """The identity of an object; a Namespace lies in no namespace."""
    meta = obj["metadata"]
    return ObjectKey(obj["kind"], meta.get("namespace", ""), meta["name"])


def annotation(obj: Object, name: str) -> str | None:
    """One annotation's text, or None."""
    return (obj["metadata"].get("annotations") or {}).get(name)


def label(obj: Object, name: str) -> str | None:
    """One label's text, or None."""
    return (obj["metadata"].get("labels") or {}).get(name)


def at(obj: Object, *path: str | int, default: Any = None) -> Any:
    """The value below a path of keys and indices, or `default` where any step is absent."""
    value: Any = obj
    for step in path:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return default
    return default if value is None else value


def put(obj: Object, value: Any, *path: str) -> dict[str, Any]:
    """A copy of `obj` with the value at a path of keys replaced; shares what it does not change."""
    first, *rest = path
    return {**obj, first: put(obj.get(first) or {}, value, *rest) if rest else value}


def applied_hash(obj: Object) -> str:
    """hash(desired): everything but the revision and the hash itself, which are written only along with another change."""
    meta = obj["metadata"]
    skipped = (labels.APPLIED, labels.REVISION)
    kept = {k: v for k, v in (meta.get("annotations") or {}).items() if k not in skipped}
    plain = put(put(obj, kept, "metadata", "annotations"), None, "metadata", "resourceVersion")
    return content_hash(_without_revision_header(plain) if obj["kind"] == "HTTPRoute" else plain, 16)


def _without_revision_header(value: Any) -> Any:
    if isinstance(value, str):
        return value
    if isinstance(value, (dict, Mapping)):
        return {k: _without_revision_header(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_revision_header(v) for v in value if not _is_revision_header(v)]
    return value


def _is_revision_header(value: Any) -> bool:
    return isinstance(value, (dict, Mapping)) and value.get("name") == labels.HEADER_REVISION

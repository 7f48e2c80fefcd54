"""Small objects that every API server accepts."""

from __future__ import annotations

from typing import Any


def config_map(namespace: str, name: str = "sample", data: dict[str, str] | None = None, **metadata: Any) -> dict[str, Any]:
    own = {"name": name, "namespace": namespace, **metadata}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": own, **({"data": data} if data is not None else {})}


def deployment(namespace: str, *, container: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    labels = {"app": "sample"}
    endpoint = {"name": "endpoint", "image": "registry.example.com/sample:1", **(container or {})}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [endpoint]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "sample", "namespace": namespace},
        "spec": {"selector": {"matchLabels": labels}, "template": template, **spec},
    }


def service(namespace: str, selector: dict[str, str], *ports: int) -> dict[str, Any]:
    listed = [{"name": f"port-{port}", "port": port, "targetPort": port, "protocol": "TCP"} for port in ports]
    metadata = {"name": "sample", "namespace": namespace}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"selector": selector, "ports": listed}}


def route(namespace: str, *paths: str) -> dict[str, Any]:
    rules = [{"matches": [{"path": {"type": "PathPrefix", "value": path}}]} for path in paths]
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": "sample", "namespace": namespace},
        "spec": {"parentRefs": [{"name": "gateway"}], "rules": rules},
    }


def pod_disruption_budget(namespace: str) -> dict[str, Any]:
    spec = {"minAvailable": 1, "selector": {"matchLabels": {"app": "sample"}}}
    metadata = {"name": "sample", "namespace": namespace}
    return {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": metadata, "spec": spec}


def autoscaler(namespace: str) -> dict[str, Any]:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "sample"}
    spec = {"minReplicas": 1, "maxReplicas": 2, "scaleTargetRef": target}
    metadata = {"name": "sample", "namespace": namespace}
    return {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": metadata, "spec": spec}


def service_account(namespace: str) -> dict[str, Any]:
    metadata = {"name": "sample", "namespace": namespace}
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata, "automountServiceAccountToken": False}

"""How many replicas a workload has under load, and how many a node drain may take at once. Both are templates."""

from __future__ import annotations

from typing import Any

from controller.model import labels
from controller.model.declared import Scale
from controller.render.scope import Scope

DEFAULT_CPU = 70
"""Per cent of the CPU request at which another replica is added, unless `scale.cpu` says otherwise."""


def autoscaler(scope: Scope, name: str, scale: Scale, annotations: dict[str, str]) -> dict[str, Any] | None:
    """Between `scale.min` and `scale.max`, down slowly; None for a fixed number."""
    least = max(scale.min, 1)  # the API refuses 0 without an external metric
    if scale.max <= least:
        return None
    target = {"type": "Utilization", "averageUtilization": scale.cpu or DEFAULT_CPU}
    down = {"stabilizationWindowSeconds": 300, "policies": [{"type": "Percent", "value": 50, "periodSeconds": 60}]}
    spec = {
        "behavior": {"scaleDown": down},
        "maxReplicas": scale.max,
        "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": target}}],
        "minReplicas": least,
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
    }
    return scope.object("HorizontalPodAutoscaler", name, {"spec": spec}, workload=name, annotations=annotations)


def disruption(scope: Scope, name: str, annotations: dict[str, str]) -> dict[str, Any]:
    """One at a time, and never in the way of a node drain because of pods that are broken anyway."""
    spec = {
        "maxUnavailable": 1,
        "selector": {"matchLabels": {labels.WORKLOAD: name}},
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
    }
    return scope.object("PodDisruptionBudget", name, {"spec": spec}, workload=name, annotations=annotations)

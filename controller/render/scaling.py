"""How many replicas a workload has under load, and how many a node drain may take at once. Both are templates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from controller.model import labels
from controller.model.declared import Scale
from controller.model.desired import Workload
from controller.render.scope import Scope

DEFAULT_CPU = 70
"""Per cent of the CPU request at which another replica is added, unless `scale.cpu` says otherwise."""


def autoscaler(
    scope: Scope, name: str, scale: Scale, resources: Mapping[str, Any], annotations: dict[str, str]
) -> dict[str, Any] | None:
    """Between `scale.min` and `scale.max`, down slowly; None for a fixed number, or where there is nothing to measure.

    How long fewer must be enough before it shrinks is the cluster's own setting, 5 minutes unless its operators chose
    another (kube-controller-manager, `--horizontal-pod-autoscaler-downscale-stabilization`).
    """
    least = max(scale.min, 1)  # the API refuses 0 without an external metric
    if scale.max <= least or not is_measured(resources):
        return None
    target = {"type": "Utilization", "averageUtilization": scale.cpu or DEFAULT_CPU}
    down = {"policies": [{"type": "Percent", "value": 50, "periodSeconds": 60}]}
    spec = {
        "behavior": {"scaleDown": down},
        "maxReplicas": scale.max,
        "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": target}}],
        "minReplicas": least,
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
    }
    return scope.object("HorizontalPodAutoscaler", name, {"spec": spec}, workload=name, annotations=annotations)


def is_measured(resources: Mapping[str, Any]) -> bool:
    """Whether containers have a CPU request, of which utilisation is a part; a limit alone becomes one, too."""
    return any("cpu" in amounts for amounts in resources.values())


def scale_notices(workloads: Iterable[Workload]) -> tuple[str, ...]:
    """One sentence per endpoint whose bounds nothing can move between."""
    fixed = (w for w in workloads if w.autoscaler is None and w.scale.max > max(w.scale.min, 1))
    lead = "has no CPU request to measure load against"
    return tuple(sorted({f"{w.endpoint} {lead}, so it stays at scale.min {max(w.scale.min, 1)}" for w in fixed}))


def disruption(scope: Scope, name: str, annotations: dict[str, str]) -> dict[str, Any]:
    """One at a time, and never in the way of a node drain because of pods that are broken anyway."""
    spec = {
        "maxUnavailable": 1,
        "selector": {"matchLabels": {labels.WORKLOAD: name}},
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
    }
    return scope.object("PodDisruptionBudget", name, {"spec": spec}, workload=name, annotations=annotations)

"""The health of many as the health of one: the worst wins."""

from __future__ import annotations

from collections.abc import Iterable

from controller.model.conditions import Assessment, Health

# Argo CD's order, best first (argoproj/gitops-engine, pkg/health/health.go).
ORDER = (Health.HEALTHY, Health.SUSPENDED, Health.PROGRESSING, Health.MISSING, Health.DEGRADED, Health.UNKNOWN)


def worst(assessments: Iterable[Assessment]) -> Assessment:
    """The worst health with the first message that belongs to it, and how many more there are. Of nothing: Healthy."""
    every = tuple(assessments)
    health = max((a.health for a in every), key=ORDER.index, default=Health.HEALTHY)
    if health is Health.HEALTHY:
        return Assessment(Health.HEALTHY)
    messages = list(dict.fromkeys(a.message for a in every if a.health is health and a.message))
    more = f" (and {len(messages) - 1} more)" if len(messages) > 1 else ""
    return Assessment(health, messages[0] + more if messages else "")

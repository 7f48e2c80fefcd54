"""How a target finds out that an endpoint answers."""

from __future__ import annotations

from typing import Any

PORT_NAME = "http"


def probe(health: str | None) -> dict[str, Any]:
    """A GET of the container's own path, or, where none is known, a connection."""
    return {"httpGet": {"path": health, "port": PORT_NAME}} if health else {"tcpSocket": {"port": PORT_NAME}}


def probes(asked: dict[str, Any]) -> dict[str, Any]:
    """Startup and readiness, never liveness: it would kill servers that are only busy or still loading.

    A server that has not answered for an hour is started again; the rollout's own deadline gives up long before.
    """
    return {
        "readinessProbe": {**asked, "failureThreshold": 3, "periodSeconds": 5, "timeoutSeconds": 2},
        "startupProbe": {**asked, "failureThreshold": 1800, "periodSeconds": 2, "timeoutSeconds": 2},
    }

"""The stable address of a workload's ready replicas."""

from __future__ import annotations

from typing import Any

from controller.model import labels
from controller.render.probes import PORT_NAME
from controller.render.scope import Scope

PORT = 80


def service(scope: Scope, name: str, annotations: dict[str, str]) -> dict[str, Any]:
    """Port 80 of a Service of the workload's name leads to the container's port `http`."""
    port = {"name": PORT_NAME, "port": PORT, "protocol": "TCP", "targetPort": PORT_NAME}
    spec = {"ports": [port], "selector": {labels.WORKLOAD: name}, "type": "ClusterIP"}
    return scope.object("Service", name, {"spec": spec}, workload=name, annotations=annotations)

"""Objects as an API server or kubelet writes them, cut to what is read."""

from __future__ import annotations

from typing import Any


def deployment(
    *,
    wanted: int | None = 2,
    generation: int = 3,
    observed: int = 3,
    conditions: tuple[dict[str, str], ...] = (),
    **counts: int,
) -> dict[str, Any]:
    names = {"updated": "updatedReplicas", "ready": "readyReplicas", "available": "availableReplicas", "total": "replicas"}
    status: dict[str, Any] = {"observedGeneration": observed, "conditions": list(conditions)}
    status |= {names[name]: number for name, number in counts.items()}
    annotations = {"pointsman.dev/endpoint": "predict-digit"}
    spec = {} if wanted is None else {"replicas": wanted}
    metadata = {"name": "w", "namespace": "n", "generation": generation, "annotations": annotations}
    return {"kind": "Deployment", "metadata": metadata, "spec": spec, "status": status}


def all_well(number: int = 2) -> dict[str, Any]:
    return deployment(wanted=number, updated=number, ready=number, available=number, total=number)


def pod(name: str = "w-1", *, container: dict[str, Any] | None = None, **status: Any) -> dict[str, Any]:
    """`ready`, `scheduled` as conditions; anything else goes to the status as it is."""
    conditions = []
    for word, kind in (("ready", "Ready"), ("scheduled", "PodScheduled")):
        if word in status:
            held, message = status.pop(word)
            conditions.append({"type": kind, "status": str(held), "message": message})
    found: dict[str, Any] = {"phase": "Running", "conditions": conditions, **status}
    if container is not None:
        found["containerStatuses"] = [container]
    probe = {"httpGet": {"path": "/healthz", "port": "http"}}
    spec = {"containers": [{"name": "endpoint", "ports": [{"name": "http", "containerPort": 8000}], "readinessProbe": probe}]}
    return {"kind": "Pod", "metadata": {"name": name, "namespace": "n"}, "spec": spec, "status": found}


def ready_pod(name: str = "w-0") -> dict[str, Any]:
    return pod(name, ready=(True, ""), container={"ready": True, "restartCount": 1, "state": {"running": {}}})


def crashed(message: str = "", *, restarts: int = 2, **ended: Any) -> dict[str, Any]:
    """A container between two attempts."""
    return {
        "ready": False,
        "restartCount": restarts,
        "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 40s restarting failed container"}},
        "lastState": {"terminated": {"exitCode": 1, "reason": "Error", "message": message, **ended}},
    }


def waiting(reason: str, message: str = "") -> dict[str, Any]:
    return {"ready": False, "restartCount": 0, "state": {"waiting": {"reason": reason, "message": message}}}

"""What could still be scheduled on a cluster's nodes: what they offer less what their pods asked for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, TypeAlias

from controller.cluster.quantities import quantity
from controller.model.objects import Object, at
from controller.model.observed import NodeRoom
from controller.model.ports import ClusterClient

_Amounts: TypeAlias = dict[str, Decimal]
_FINISHED = ("Succeeded", "Failed")
_POD = {"pods": Decimal(1)}


def node_rooms(client: ClusterClient) -> tuple[NodeRoom, ...]:
    """Every node that takes pods, whoever's pods are on it. Needs `list` on nodes and pods of the whole cluster."""
    return rooms_of(client.list("Node").items, client.list("Pod").items)


def rooms_of(nodes: Iterable[Object], pods: Iterable[Object]) -> tuple[NodeRoom, ...]:
    """Pure. A cordoned node and one that is not ready have no room and are left out."""
    taken: defaultdict[str, _Amounts] = defaultdict(dict)
    for pod in pods:
        node = at(pod, "spec", "nodeName")
        if node and at(pod, "status", "phase") not in _FINISHED:
            taken[node] = _sum(taken[node], pod_request(pod))
    return tuple(_room(node, taken[node["metadata"]["name"]]) for node in nodes if _takes_pods(node))


def pod_request(pod: Object) -> Mapping[str, Decimal]:
    """What the scheduler counts for a pod (kubernetes.io, "Sidecar Containers", section "Resource sharing within containers").

    All containers and sidecars together, or the largest init container with the sidecars before it; then the overhead.
    Requests for the whole pod take the place of that sum.
    """
    running: _Amounts = {}
    starting: _Amounts = {}
    for container in at(pod, "spec", "initContainers", default=()):
        request = _request(container)
        if container.get("restartPolicy") == "Always":
            running = _sum(running, request)
            request = {}
        starting = _largest(starting, _sum(running, request))
    for container in at(pod, "spec", "containers", default=()):
        running = _sum(running, _request(container))
    whole = {**_largest(running, starting), **_request(pod.get("spec") or {})}
    overhead = {name: quantity(amount) for name, amount in at(pod, "spec", "overhead", default={}).items()}
    return _sum(_sum(whole, overhead), _POD)


def _request(holder: Mapping[str, Any]) -> _Amounts:
    """What is not requested but limited counts with its limit, as the API server fills it in."""
    resources = holder.get("resources") or {}
    merged = {**(resources.get("limits") or {}), **(resources.get("requests") or {})}
    return {name: quantity(amount) for name, amount in merged.items()}


def _sum(one: Mapping[str, Decimal], other: Mapping[str, Decimal]) -> _Amounts:
    return {name: one.get(name, Decimal(0)) + other.get(name, Decimal(0)) for name in {**one, **other}}


def _largest(one: Mapping[str, Decimal], other: Mapping[str, Decimal]) -> _Amounts:
    return {name: max(one.get(name, Decimal(0)), other.get(name, Decimal(0))) for name in {**one, **other}}


def _takes_pods(node: Object) -> bool:
    conditions = {item["type"]: item["status"] for item in at(node, "status", "conditions", default=())}
    return not at(node, "spec", "unschedulable", default=False) and conditions.get("Ready") == "True"


def _room(node: Object, taken: Mapping[str, Decimal]) -> NodeRoom:
    offered = {name: quantity(amount) for name, amount in at(node, "status", "allocatable", default={}).items()}
    return NodeRoom(
        name=node["metadata"]["name"],
        labels=node["metadata"].get("labels") or {},
        taints=tuple(at(node, "spec", "taints", default=())),
        allocatable={name: float(amount) for name, amount in offered.items()},
        free={name: float(amount - taken.get(name, Decimal(0))) for name, amount in offered.items()},
    )

"""What nodes have free, counted as the scheduler counts."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from controller.cluster.quantities import quantity
from controller.cluster.rooms import pod_request, rooms_of

pytestmark = pytest.mark.pure


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", "0"), ("2", "2"), ("500m", "0.5"), ("0.1", "0.1"), (".5", "0.5"), ("1.", "1"), ("100n", "1e-7"), ("5u", "5e-6"),
        ("1k", "1000"), ("128974848", "128974848"), ("129e6", "129000000"), ("9E6", "9000000"), ("1E", "1e18"), ("-1", "-1"),
        ("129M", "129000000"), ("123Mi", "128974848"), ("1Ki", "1024"), ("2Ei", "2305843009213693952"),
    ],
)  # fmt: skip
def test_quantities_are_read_exactly(text: str, value: str) -> None:
    assert quantity(text) == Decimal(value)


@pytest.mark.parametrize("text", ["", "m", "1 Gi", "1gi", "0x1", "1KiB", "1e", "nan", "Infinity", "\uff11"])
def test_what_is_no_quantity_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="quantity"):
        quantity(text)


def container(cpu: str, **more: Any) -> dict[str, Any]:
    return {"resources": {"requests": {"cpu": cpu}}, **more}


def pod(
    *containers: dict[str, Any], init: tuple[dict[str, Any], ...] = (), phase: str = "Running", **spec: Any
) -> dict[str, Any]:
    whole = {"nodeName": "one", "containers": list(containers), "initContainers": list(init), **spec}
    return {"metadata": {"name": "p"}, "spec": whole, "status": {"phase": phase}}


SIDECAR = {"restartPolicy": "Always"}


@pytest.mark.parametrize(
    ("counted", "cpu"),
    [
        (pod(container("1"), container("500m")), "1.5"),
        (pod(container("1"), init=(container("3"), container("2"))), "3"),
        (pod(container("1"), init=(container("500m", **SIDECAR),)), "1.5"),
        (pod(container("1"), init=(container("1", **SIDECAR), container("3"))), "4"),
        (pod(container("1"), init=(container("3"), container("1", **SIDECAR))), "3"),
        (pod(container("1"), overhead={"cpu": "250m"}), "1.25"),
        (pod(container("1"), resources={"requests": {"cpu": "4"}}), "4"),
        (pod({"resources": {"limits": {"cpu": "2"}}}), "2"),
        (pod({"resources": {"limits": {"cpu": "2"}, "requests": {"cpu": "1"}}}), "1"),
    ],
)
def test_a_pods_request(counted: dict[str, Any], cpu: str) -> None:
    assert pod_request(counted)["cpu"] == Decimal(cpu)
    assert pod_request(counted)["pods"] == 1


def node(name: str = "one", ready: str = "True", **spec: Any) -> dict[str, Any]:
    offered = {"cpu": "4", "memory": "8Gi", "pods": "110", "nvidia.com/gpu": "2"}
    status = {"allocatable": offered, "conditions": [{"type": "Ready", "status": ready}]}
    return {"metadata": {"name": name, "labels": {"zone": "a"}}, "spec": spec, "status": status}


def test_room_is_what_running_pods_left() -> None:
    gpu = {"resources": {"limits": {"nvidia.com/gpu": "1"}}}
    pods = [
        pod(container("1")),
        pod(gpu, phase="Pending"),
        pod(container("3"), phase="Succeeded"),
        {"metadata": {}, "spec": {}},
    ]
    (room,) = rooms_of([node(taints=[{"key": "a", "effect": "NoSchedule"}])], pods)
    assert room.free == {"cpu": 3.0, "memory": 8 * 1024**3, "pods": 108.0, "nvidia.com/gpu": 1.0}
    assert room.allocatable["cpu"] == 4.0
    assert (room.name, room.labels, room.taints) == ("one", {"zone": "a"}, ({"key": "a", "effect": "NoSchedule"},))


def test_nodes_that_take_no_pods_have_no_room() -> None:
    nodes = [node("cordoned", unschedulable=True), node("lost", ready="Unknown"), node("good")]
    assert [room.name for room in rooms_of(nodes, [])] == ["good"]

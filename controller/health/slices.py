"""How many addresses a gateway may send requests to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from controller.model.objects import Object, at

_Address = tuple[object, ...]


def ready_addresses(slices: Iterable[Object]) -> int:
    """Distinct replicas that a Service's EndpointSlices list as ready.

    A replica appears once per address family and, for a moment, in two slices at once; it counts once. An absent
    `ready` means ready (k8s.io/api/discovery/v1, EndpointConditions). On loopback only the port tells replicas apart.
    """
    return len({address for item in slices for address in _ready(item)})


def _ready(item: Object) -> Iterator[_Address]:
    ports = tuple(port.get("port") for port in at(item, "ports", default=()))
    for endpoint in at(item, "endpoints", default=()):
        addresses = at(endpoint, "addresses", default=())
        if addresses and at(endpoint, "conditions", "ready", default=True):
            pod = at(endpoint, "targetRef", "name")
            yield ("pod", pod) if pod else ("address", tuple(addresses), ports)

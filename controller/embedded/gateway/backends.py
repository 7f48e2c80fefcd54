"""The replicas behind each Service, as EndpointSlices list them. Lives on the gateway's loop alone."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Container, Iterator
from dataclasses import dataclass

from controller.embedded.gateway.route import ServiceName
from controller.model import labels
from controller.model.objects import Object, at, label


@dataclass(slots=True, eq=False)
class Replica:
    """One address that takes requests now; `in_flight` are the gateway's own."""

    host: str
    port: int
    in_flight: int = 0


class Backends:
    """Ready replicas by Service, and waiting for one."""

    def __init__(self) -> None:
        self._slices: dict[ServiceName, dict[str, tuple[Replica, ...]]] = defaultdict(dict)
        self._turn: dict[ServiceName, int] = defaultdict(int)
        self._changed: dict[ServiceName, asyncio.Event] = {}
        self.parked: set[ServiceName] = set()
        """Workloads that are meant to have no replica: waiting for one is useless."""

    def put(self, item: Object) -> None:
        """Take a slice in. A replica that stays keeps its count of requests."""
        service = _service_of(item)
        slices = self._slices[service]
        known = {(r.host, r.port): r for r in slices.get(item["metadata"]["name"], ())}
        slices[item["metadata"]["name"]] = tuple(known.get(address) or Replica(*address) for address in _ready(item))
        self._wake(service)

    def remove(self, item: Object) -> None:
        service = _service_of(item)
        self._slices[service].pop(item["metadata"]["name"], None)
        if not self._slices[service]:
            del self._slices[service]
            self._turn.pop(service, None)

    def ready(self, service: ServiceName) -> list[Replica]:
        return [replica for replicas in self._slices.get(service, {}).values() for replica in replicas]

    def choose(self, service: ServiceName, *, excluding: Container[Replica] = ()) -> Replica | None:
        """The least busy ready replica; among equals they take turns."""
        candidates = [replica for replica in self.ready(service) if replica not in excluding]
        if not candidates:
            return None
        self._turn[service] = turn = self._turn[service] + 1
        start = turn % len(candidates)
        return min([*candidates[start:], *candidates[:start]], key=lambda replica: replica.in_flight)

    async def change(self, service: ServiceName, timeout: float) -> None:
        """Return when the Service's replicas changed, or after `timeout` seconds."""
        event = self._changed.setdefault(service, asyncio.Event())
        try:
            async with asyncio.timeout(timeout):
                await event.wait()
        except TimeoutError:
            return

    def _wake(self, service: ServiceName) -> None:
        event = self._changed.pop(service, None)
        if event is not None:
            event.set()


def _service_of(item: Object) -> ServiceName:
    return item["metadata"].get("namespace", ""), label(item, labels.SERVICE_NAME) or ""


def _ready(item: Object) -> Iterator[tuple[str, int]]:
    """Addresses that may get new requests; an unknown readiness counts as ready (EndpointConditions)."""
    port = at(item, "ports", 0, "port")
    for endpoint in at(item, "endpoints", default=()):
        conditions = endpoint.get("conditions") or {}
        ready = conditions.get("ready") is not False and not conditions.get("terminating")
        if port is not None and ready and endpoint.get("addresses"):
            yield str(endpoint["addresses"][0]), int(port)

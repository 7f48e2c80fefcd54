"""The cluster as the gateway sees it, kept current by events. Each event costs what it changes, not what there is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

from controller.embedded.gateway.backends import Backends
from controller.embedded.gateway.route import CompiledRoute, ServiceName, compile_route
from controller.embedded.gateway.status import Verdict
from controller.embedded.gateway.table import RoutingTable
from controller.model import labels
from controller.model.identity import ObjectKey
from controller.model.objects import Object, annotation, at, key_of
from controller.model.ports import EventType, WatchEvent

KINDS = ("Service", "Deployment", "EndpointSlice", "HTTPRoute")
"""In the order of a first reading: a route comes in when what it names is known."""


class ClusterView:
    """Lives on the gateway's loop alone. `decided` is told about a route once the table that contains it is in effect."""

    def __init__(self, decided: Callable[[Verdict], None], forgotten: Callable[[ObjectKey], None]) -> None:
        self.table = RoutingTable()
        self.backends = Backends()
        self._decided = decided
        self._forgotten = forgotten
        self._services: set[ServiceName] = set()
        self._users: defaultdict[ServiceName, set[ObjectKey]] = defaultdict(set)
        self._sources: dict[ObjectKey, Object] = {}

    def has_service(self, name: ServiceName) -> bool:
        return name in self._services

    def observe(self, event: WatchEvent) -> None:
        """Take one change in; kinds that do not concern the gateway are passed over."""
        kind, gone = event.object["kind"], event.type is EventType.DELETED
        match kind:
            case "HTTPRoute":
                self._drop_route(event.object) if gone else self._put_route(event.object)
            case "EndpointSlice":
                self.backends.remove(event.object) if gone else self.backends.put(event.object)
            case "Service":
                self._mark_service(event.object, gone=gone)
            case "Deployment":
                self._mark_parked(event.object, gone=gone)

    def _put_route(self, source: Object) -> None:
        key = key_of(source)
        before = self._sources.get(key)
        self._sources[key] = source
        route = self.table.get(key)
        if route is None or before is None or not _same(before, source):
            self._unlink(route)
            route = compile_route(source)
            self.table.put(route)
            if route.service is not None:
                self._users[route.service].add(key)
        self._decide(source, route)

    def _drop_route(self, source: Object) -> None:
        key = key_of(source)
        self._sources.pop(key, None)
        self._unlink(self.table.get(key))
        self.table.remove(key)
        self._forgotten(key)

    def _unlink(self, route: CompiledRoute | None) -> None:
        if route is None or route.service is None:
            return
        users = self._users[route.service]
        users.discard(route.key)
        if not users:
            del self._users[route.service]

    def _mark_service(self, service: Object, *, gone: bool) -> None:
        name = _name(service)
        if gone == (name not in self._services):
            return
        (self._services.discard if gone else self._services.add)(name)
        for key in self._users.get(name, ()):
            route = self.table.get(key)
            if route is not None:
                self._decide(self._sources[key], route)

    def _mark_parked(self, deployment: Object, *, gone: bool) -> None:
        # a workload's Deployment and Service have one name
        parked = not gone and at(deployment, "spec", "replicas", default=1) == 0
        (self.backends.parked.add if parked else self.backends.parked.discard)(_name(deployment))

    def _decide(self, source: Object, route: CompiledRoute) -> None:
        self._decided(Verdict(source, route.problem, backend_found=route.service is None or route.service in self._services))


def _name(obj: Object) -> ServiceName:
    return obj["metadata"].get("namespace", ""), obj["metadata"]["name"]


def _same(one: Object, other: Object) -> bool:
    """Whether nothing changed that a request could see; a status of our own comes back as an event too."""
    meta, new = one["metadata"], other["metadata"]
    names = (labels.UNIT_NAME, labels.VERSION, labels.ALIAS, labels.ENDPOINT)
    return (
        meta.get("generation") == new.get("generation")
        and one.get("spec") == other.get("spec")
        and all(annotation(one, name) == annotation(other, name) for name in names)
    )

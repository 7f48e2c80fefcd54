"""Which of three things a request gets: a replica's answer, an index page, or the reason why neither."""

from __future__ import annotations

import re

from controller.embedded.gateway.access import Access
from controller.embedded.gateway.answers import Answer, RefusedError
from controller.embedded.gateway.exchange import Exchange
from controller.embedded.gateway.forward import Forwarder
from controller.embedded.gateway.listing import listing
from controller.embedded.gateway.request import ClientRequest
from controller.embedded.gateway.route import CompiledRoute
from controller.embedded.gateway.statistics import Statistics
from controller.embedded.gateway.view import ClusterView

_HOST = re.compile(rb"[A-Za-z0-9._\-]{1,253}(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]+\](:[0-9]{1,5})?")


class Dispatcher:
    """Answers one exchange whole; raises only what ends the client's connection."""

    def __init__(self, view: ClusterView, access: Access, forwarder: Forwarder, statistics: Statistics) -> None:
        self._view = view
        self._access = access
        self._forwarder = forwarder
        self._statistics = statistics

    async def dispatch(self, exchange: Exchange) -> None:
        route = self._view.table.find(exchange.request.path)
        if route is None:
            await exchange.answer(self._without_route(exchange.request))
            return
        counter = self._statistics.of(route.key)
        counter.begin(route.prefix)
        try:
            await self._serve(exchange, route)
        finally:
            counter.end(exchange.status)

    async def _serve(self, exchange: Exchange, route: CompiledRoute) -> None:
        """The route is read once: backend and headers of an answer always belong together."""
        try:
            if route.problem is not None or route.service is None:
                raise RefusedError(Answer(500, "UnsupportedRoute", f"This route cannot be served: {route.problem}."))
            if route.filters.access is not None:
                await self._access.check(route.filters.access, exchange.request.header(b"authorization"))
            if not self._view.has_service(route.service):
                raise RefusedError(Answer(500, "BackendNotFound", f"The Service `{route.service[1]}` does not exist."))
            await self._forwarder.forward(exchange, route, route.service)
        except RefusedError as refused:
            await exchange.answer(refused.answer)

    def _without_route(self, request: ClientRequest) -> Answer:
        node = self._view.table.node(request.path)
        if node is not None and request.method in (b"GET", b"HEAD"):
            return listing(request.path.rstrip("/") or "/", node, self._view.backends, _origin(request))
        near = self._view.table.near(request.path)
        hint = f"did you mean {' or '.join(near)}?" if near else "`/` lists what is served"
        path = request.path if len(request.path) <= 200 else request.path[:200] + "…"
        return Answer(404, "NoRoute", f"Nothing is served at {path}.", hint, details={"near": near})


def _origin(request: ClientRequest) -> str:
    return f"http://{request.host.decode()}" if _HOST.fullmatch(request.host) else ""

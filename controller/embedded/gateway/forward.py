"""Carries a request to a replica of its route, once.

Each request has a connection of its own: a kept one may be closed by the endpoint in the moment in which it is used again,
and on loopback a new one costs little (docs/concepts/gateway.md).
"""

from __future__ import annotations

from controller.embedded.gateway.answers import Answer, RefusedError
from controller.embedded.gateway.backends import Backends, Replica
from controller.embedded.gateway.conversation import Conversation
from controller.embedded.gateway.exchange import Exchange
from controller.embedded.gateway.limits import Limits
from controller.embedded.gateway.route import CompiledRoute, ServiceName
from controller.embedded.gateway.unready import Unready
from controller.embedded.gateway.upstream import NoReplicaError, Upstream, connect
from controller.embedded.gateway.wire import EndpointBrokeError


class Forwarder:
    """Bytes that may have reached an endpoint are never sent again, but for one more try of a request that changes nothing."""

    def __init__(self, backends: Backends, unready: Unready, limits: Limits) -> None:
        self._backends = backends
        self._unready = unready
        self._limits = limits

    async def forward(self, exchange: Exchange, route: CompiledRoute, service: ServiceName) -> None:
        """Raises `RefusedError` while the gateway can still answer, else the fault of the side that broke."""
        exchange.take_end()
        failed: Replica | None = None
        while True:
            upstream = await self._connect(route, service, failed)
            whole = False
            try:
                await Conversation(exchange, upstream.wire, route).run()
                whole = True
                return
            except EndpointBrokeError as error:
                if exchange.begun:
                    raise
                if failed is not None or upstream.wire.received or not exchange.request.repeatable:
                    raise RefusedError(_broke(error)) from error
                failed = upstream.replica
            finally:
                upstream.release(whole=whole)

    async def _connect(self, route: CompiledRoute, service: ServiceName, failed: Replica | None) -> Upstream:
        try:
            return await connect(self._backends, service, self._limits, avoiding=failed)
        except NoReplicaError as error:
            raise RefusedError(_refuses() if error.refused else await self._unready.explain(route, service)) from error


def _broke(error: EndpointBrokeError) -> Answer:
    return Answer(502, "EndpointClosed", f"The endpoint closed the connection without a whole answer: {error}.")


def _refuses() -> Answer:
    message = "The endpoint is listed as ready but accepts no connection."
    return Answer(502, "EndpointRefused", message, headers=((b"Retry-After", b"1"),))

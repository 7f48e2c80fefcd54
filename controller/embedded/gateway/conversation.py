"""One request to one replica and the response back, streaming both ways with backpressure."""

from __future__ import annotations

import asyncio

import h11

from controller.embedded.gateway.answers import Answer, RefusedError
from controller.embedded.gateway.exchange import Exchange
from controller.embedded.gateway.headers import end_to_end
from controller.embedded.gateway.outgoing import request_head, response_headers
from controller.embedded.gateway.route import CompiledRoute
from controller.embedded.gateway.tunnel import tunnel
from controller.embedded.gateway.wire import ClientGoneError, EndpointBrokeError, Wire

_LOOK = 1.0
"""Seconds of silence in an answer after which the client is looked for."""


class Conversation:
    """`run` once. `client_fault` is what broke on the client's side while its body was sent on."""

    def __init__(self, exchange: Exchange, endpoint: Wire, route: CompiledRoute) -> None:
        self._exchange = exchange
        self._endpoint = endpoint
        self._route = route
        self._clock: asyncio.Timeout | None = None
        self._client_fault: ClientGoneError | None = None

    async def run(self) -> None:
        """Raises `EndpointBrokeError`, `ClientGoneError`, or `RefusedError` when no response began in time."""
        self._endpoint.send(request_head(self._exchange.request, self._route))
        body = asyncio.create_task(self._send_body()) if self._exchange.request.has_body else None
        try:
            if body is None:
                self._endpoint.send(h11.EndOfMessage())
                await self._endpoint.flush()
            await self._respond(body)
        except EndpointBrokeError:
            if self._client_fault is not None:
                raise self._client_fault from None
            raise
        finally:
            if body is not None:
                body.cancel()
                await asyncio.wait([body])

    async def _send_body(self) -> None:
        try:
            await self._endpoint.flush()
            async for data in self._exchange.body():
                self._endpoint.send(h11.Data(data=data))
                await self._endpoint.flush()
            self._endpoint.send(h11.EndOfMessage())
            await self._endpoint.flush()
        except EndpointBrokeError:
            pass  # it may have answered without reading everything: its response decides
        except ClientGoneError as error:
            self._client_fault = error
            self._endpoint.abort()
        self._start_clock()

    def _start_clock(self) -> None:
        """The request's timeout runs from when it was received in whole (Gateway API leaves that to us)."""
        if self._clock is not None and self._route.timeout is not None and not self._exchange.begun:
            self._clock.reschedule(asyncio.get_running_loop().time() + self._route.timeout)

    async def _respond(self, body: asyncio.Task[None] | None) -> None:
        response = await self._first_response(body)
        if response.status_code == 101:
            await self._switch(response)
            return
        self._exchange.begin(response.status_code, response_headers(response, self._route), bytes(response.reason))
        await self._relay_body()

    async def _first_response(self, body: asyncio.Task[None] | None) -> h11.Response | h11.InformationalResponse:
        """The final response, or the 101 that ends HTTP here; other interim ones pass on the way."""
        try:
            async with asyncio.timeout(None) as self._clock:
                if body is None or body.done():
                    self._start_clock()
                while True:
                    event = await self._endpoint.receive()
                    if isinstance(event, h11.Response) or (
                        isinstance(event, h11.InformationalResponse) and event.status_code == 101
                    ):
                        return event
                    if not isinstance(event, h11.InformationalResponse):
                        raise EndpointBrokeError("no response")
                    self._exchange.inform(event.status_code, end_to_end(list(event.headers.raw_items())))
                    await self._exchange.wire.flush()
        except TimeoutError as error:
            raise RefusedError(_too_late(self._route)) from error
        finally:
            self._clock = None

    async def _relay_body(self) -> None:
        client = self._exchange.wire
        while True:
            event = self._endpoint.poll()
            if isinstance(event, h11.Data):
                client.send(h11.Data(data=event.data))
            elif isinstance(event, h11.EndOfMessage):
                client.send(h11.EndOfMessage())
                await client.flush()
                return
            else:
                await client.flush()
                await self._wait_for_more()

    async def _wait_for_more(self) -> None:
        """A stream may be silent for as long as it likes, but not without a client: nobody else would ever end it."""
        while not await self._endpoint.arrives(_LOOK):
            if self._exchange.wire.left:
                raise ClientGoneError("left before the answer ended")

    async def _switch(self, response: h11.InformationalResponse | h11.Response) -> None:
        protocol = dict(response.headers).get(b"upgrade", self._exchange.request.upgrade or b"")
        headers = response_headers(response, self._route)
        self._exchange.switch([*headers, (b"Connection", b"Upgrade"), (b"Upgrade", protocol)])
        await self._exchange.wire.flush()
        await tunnel(self._exchange.wire, self._endpoint)


def _too_late(route: CompiledRoute) -> Answer:
    message = f"The endpoint did not begin to answer within {route.timeout:g} s."
    return Answer(504, "EndpointTimeout", message, hint="`timeout` of the endpoint in the deployment's file sets this limit")

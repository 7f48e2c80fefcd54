"""One client's connection: request after request, until one side wants to close."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus

import h11

from controller.embedded.gateway.answers import Answer, RefusedError, rendered
from controller.embedded.gateway.dispatch import Dispatcher
from controller.embedded.gateway.exchange import Exchange
from controller.embedded.gateway.limits import Limits
from controller.embedded.gateway.request import ClientRequest, read_request
from controller.embedded.gateway.wire import ClientGoneError, EndpointBrokeError, Wire

_log = logging.getLogger(__name__)


class ClientConnection:
    """`idle` while no request has begun: such a connection may be closed at any time."""

    def __init__(self, wire: Wire, peer: str, dispatcher: Dispatcher, limits: Limits, stopping: Callable[[], bool]) -> None:
        self._wire = wire
        self._peer = peer
        self._dispatcher = dispatcher
        self._limits = limits
        self._stopping = stopping
        self.idle = True

    async def serve(self) -> None:
        """Returns when the connection is closed; never raises but for cancellation."""
        try:
            while await self._serve_one():
                self._wire.grammar.start_next_cycle()
            await self._wire.finish()
        except (ClientGoneError, EndpointBrokeError):
            self._wire.abort()
        except asyncio.CancelledError:
            self._wire.abort()
            raise
        except Exception:
            _log.exception("a request to the gateway failed")
            self._wire.abort()

    def abort(self) -> None:
        self._wire.abort()

    async def refuse(self, answer: Answer, *, with_body: bool = True) -> None:
        """Answer something that is not a request, or cannot be served at all, and read no further."""
        headers, body = rendered(answer, "")
        reason = HTTPStatus(answer.status).phrase.encode()
        response = h11.Response(status_code=answer.status, headers=[*headers, (b"Connection", b"close")], reason=reason)
        self._wire.send(response)
        if with_body:
            self._wire.send(h11.Data(data=body))
        self._wire.send(h11.EndOfMessage())
        await self._wire.flush()
        await self._linger()

    async def _serve_one(self) -> bool:
        """Whether the connection can take another request."""
        request = await self._next_request()
        if request is None:
            return False
        exchange = Exchange(self._wire, request, self._limits, closing=self._stopping())
        try:
            await self._dispatcher.dispatch(exchange)
        except ClientGoneError as error:
            if exchange.begun:
                raise
            await self.refuse(_complaint(error))
            return False
        grammar = self._wire.grammar
        whole = grammar.our_state is h11.DONE and grammar.their_state is h11.DONE
        if whole and not exchange.closing and not self._stopping():
            return True
        if exchange.status != HTTPStatus.SWITCHING_PROTOCOLS and not exchange.body_read:
            await self._linger()
        return False

    async def _next_request(self) -> ClientRequest | None:
        head: h11.Request | None = None
        try:
            head = await self._next_head()
            if head is not None:
                return read_request(head, peer=self._peer, header_bytes=self._limits.header_bytes)
        except ClientGoneError as error:
            if self.idle:
                return None
            await self.refuse(_complaint(error))
        except RefusedError as refused:
            await self.refuse(refused.answer, with_body=head is None or head.method != b"HEAD")
        return None

    async def _next_head(self) -> h11.Request | None:
        """The next request's head; `header` seconds for all of it, from its first byte (slow loris)."""
        self.idle = True
        event = self._wire.poll()
        if isinstance(event, type) and event is h11.NEED_DATA and not self._wire.grammar.trailing_data[0]:
            await self._wire.read(self._limits.idle)
        self.idle = False
        try:
            async with asyncio.timeout(self._limits.header):
                event = event if isinstance(event, h11.Request) else await self._wire.receive()
        except TimeoutError as error:
            raise ClientGoneError(f"the headers took longer than {self._limits.header:g} s", 408) from error
        return event if isinstance(event, h11.Request) else None

    async def _linger(self) -> None:
        """Take what the client still sends for a moment: closing on unread bytes resets, and the answer would be lost."""
        self._wire.end_raw()
        taken = 0
        with suppress(ClientGoneError, TimeoutError):
            async with asyncio.timeout(self._limits.linger):
                while taken < self._limits.linger_bytes and (data := await self._wire.read_raw()):
                    taken += len(data)


def _complaint(error: ClientGoneError) -> Answer:
    reasons = {408: "RequestTimeout", 431: "HeadersTooLarge"}
    return Answer(error.status, reasons.get(error.status, "BadRequest"), f"The request cannot be read: {error}.")

"""One request of a client and the answer to it, over the client's wire."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from http import HTTPStatus

import h11

from controller.embedded.gateway.answers import Answer, rendered
from controller.embedded.gateway.headers import Header
from controller.embedded.gateway.limits import Limits
from controller.embedded.gateway.request import ClientRequest
from controller.embedded.gateway.wire import Wire


class Exchange:
    """`begun`: a head of an answer left, so no other answer can follow. `status` is the one that was sent, 0 before.

    `closing` adds `Connection: close` to the answer; the caller closes afterwards.
    """

    def __init__(self, wire: Wire, request: ClientRequest, limits: Limits, *, closing: bool = False) -> None:
        self.wire = wire
        self.request = request
        self.status = 0
        self.closing = closing
        self._limits = limits

    @property
    def begun(self) -> bool:
        return self.status != 0

    @property
    def body_read(self) -> bool:
        """Whether the client's request was taken in whole."""
        return self.wire.grammar.their_state is not h11.SEND_BODY

    def take_end(self) -> None:
        """Take in the end of a request without a body, which is here already."""
        if not self.request.has_body and not self.body_read:
            self.wire.poll()

    async def body(self) -> AsyncIterator[bytes]:
        """The request's body as it arrives; the client sends no faster than this is read."""
        while not self.body_read:
            event = await self.wire.receive(self._limits.stalled)
            if isinstance(event, h11.Data):
                yield bytes(event.data)

    def inform(self, status: int, headers: Iterable[Header]) -> None:
        """An interim response (1xx); HTTP/1.0 does not know them."""
        if self.wire.grammar.their_http_version == b"1.1":
            self.wire.send(h11.InformationalResponse(status_code=status, headers=list(headers)))

    def switch(self, headers: Iterable[Header]) -> None:
        """The end of HTTP on this connection: 101 Switching Protocols."""
        self.wire.send(h11.InformationalResponse(status_code=101, headers=list(headers), reason=b"Switching Protocols"))
        self.status = 101

    def begin(self, status: int, headers: Iterable[Header], reason: bytes = b"") -> None:
        """The head of the answer. A body that is still coming in then ends the connection with this answer."""
        self.closing = self.closing or not self.body_read
        closing = [(b"Connection", b"close")] if self.closing else []
        self.wire.send(h11.Response(status_code=status, headers=[*headers, *closing], reason=reason))
        self.status = status

    async def answer(self, answer: Answer) -> None:
        """One of the gateway's own answers, whole."""
        self.take_end()
        accept = self.request.header(b"accept") or b""
        headers, body = rendered(answer, accept.decode("latin-1"))
        self.begin(answer.status, headers, HTTPStatus(answer.status).phrase.encode())
        if self.request.method != b"HEAD":
            self.wire.send(h11.Data(data=body))
        self.wire.send(h11.EndOfMessage())
        await self.wire.flush()

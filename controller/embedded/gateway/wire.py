"""One HTTP/1.1 connection: h11's grammar over an asyncio stream.

What is sent stays here until `flush`, so that a head and a short body leave in one packet.
"""

from __future__ import annotations

import asyncio
from typing import TypeAlias

import h11

from controller.embedded.gateway.limits import READ_SIZE

Event: TypeAlias = h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]


class WireBrokenError(Exception):
    """The other side went away, stalled, or does not speak HTTP/1.1; `status` is h11's advice for an answer."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


class ClientGoneError(WireBrokenError):
    """The client's side broke."""


class EndpointBrokeError(WireBrokenError):
    """The endpoint's side broke."""


class Wire:
    """Reads and writes events; every fault becomes `broken`. `received` tells whether any byte ever came."""

    def __init__(
        self,
        role: type[h11.CLIENT] | type[h11.SERVER],
        streams: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        *,
        header_bytes: int,
        stalled: float,
    ) -> None:
        self._grammar = h11.Connection(role, max_incomplete_event_size=header_bytes)
        self._reader, self._writer = streams
        self._stalled = stalled
        self._out: list[bytes] = []
        self._broken = ClientGoneError if role is h11.SERVER else EndpointBrokeError
        self.received = False

    @property
    def grammar(self) -> h11.Connection:
        return self._grammar

    def poll(self) -> Event:
        """The next event of the bytes that are already here, or NEED_DATA."""
        try:
            return self._grammar.next_event()
        except h11.RemoteProtocolError as error:
            raise self._broken(str(error), error.error_status_hint) from error

    async def read(self, timeout: float | None = None) -> None:
        """Wait for more bytes, or the end of the stream, at most `timeout` seconds."""
        try:
            async with asyncio.timeout(timeout):
                data = await self._reader.read(READ_SIZE)
        except TimeoutError as error:
            raise self._broken(f"no byte for {timeout:g} s", 408) from error
        except OSError as error:
            raise self._broken(str(error)) from error
        self.received = self.received or bool(data)
        try:
            self._grammar.receive_data(data)
        except RuntimeError as error:  # h11: bytes after the end of the stream
            raise self._broken(str(error)) from error

    async def arrives(self, seconds: float) -> bool:
        """Like `read`, but False after so long a silence."""
        try:
            async with asyncio.timeout(seconds):
                await self.read()
        except TimeoutError:
            return False
        return True

    @property
    def left(self) -> bool:
        """Whether the other side has ended or reset its connection, as far as it was heard of."""
        return self._reader.at_eof() or self._reader.exception() is not None or self._writer.is_closing()

    async def receive(self, timeout: float | None = None) -> h11.Event | type[h11.PAUSED]:
        """The next event, reading as often as it takes."""
        while True:
            event = self.poll()
            if isinstance(event, type) and event is h11.NEED_DATA:
                await self.read(timeout)
            else:
                return event  # type: ignore[return-value]

    def send(self, event: h11.Event) -> None:
        """Queue an event; nothing leaves before `flush`."""
        try:
            pieces = self._grammar.send_with_data_passthrough(event)  # `send` would copy each body once more
        except h11.LocalProtocolError as error:
            raise self._broken(str(error)) from error
        self._out.extend(pieces or ())

    async def flush(self) -> None:
        """Hand everything over and wait while the peer takes nothing, at most `stalled` seconds."""
        if self._out:
            data = b"".join(self._out) if len(self._out) > 1 else self._out[0]
            self._out.clear()
            await self.write(data)

    async def write(self, data: bytes) -> None:
        """Raw bytes, with backpressure."""
        try:
            self._writer.write(data)
            if not self._writer.transport.get_write_buffer_size() and not self._writer.is_closing():
                return
            async with asyncio.timeout(self._stalled):
                await self._writer.drain()
        except TimeoutError as error:
            raise self._broken(f"took nothing for {self._stalled:g} s") from error
        except OSError as error:
            raise self._broken(str(error)) from error

    async def read_raw(self) -> bytes:
        """Bytes of a tunnel; empty at the end of the stream."""
        try:
            return await self._reader.read(READ_SIZE)
        except OSError as error:
            raise self._broken(str(error)) from error

    def end_raw(self) -> None:
        """Tell the other side of a tunnel that nothing follows."""
        if self._writer.can_write_eof() and not self._writer.is_closing():
            self._writer.write_eof()

    def close(self) -> None:
        """Close after what is still to be written."""
        self._writer.close()

    async def finish(self) -> None:
        """Close, and see to it that what is still to be written is taken or given up: its buffer would wait for ever."""
        self._writer.close()
        try:
            async with asyncio.timeout(self._stalled):
                await self._writer.wait_closed()
        except OSError:  # TimeoutError is one
            self.abort()

    def abort(self) -> None:
        """Reset: whoever reads must not take a broken answer for a whole one."""
        self._writer.transport.abort()

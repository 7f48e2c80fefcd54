"""The listening socket and the connections that came in through it."""

from __future__ import annotations

import asyncio
import errno
import resource
import socket

import h11

from controller.embedded.gateway.answers import Answer
from controller.embedded.gateway.connection import ClientConnection
from controller.embedded.gateway.dispatch import Dispatcher
from controller.embedded.gateway.limits import READ_SIZE, Limits
from controller.embedded.gateway.wire import ClientGoneError, Wire
from controller.model.errors import Stalled

_TRIED_PORTS = 100
_BACKLOG = 512


def listen(host: str, port: int, *, next_free: bool) -> socket.socket:
    """A listening socket on the port, or on the first free one after it. Raises `Stalled` when there is none."""
    last = min(port + _TRIED_PORTS, 65536) if next_free and port else port + 1
    for candidate in range(port, last):
        try:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            return socket.create_server((host, candidate), family=family, backlog=_BACKLOG)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise Stalled(f"the gateway cannot listen on {host}:{candidate}: {error.strerror}") from error
    ports = f"port {port}" if last == port + 1 else f"every port from {port} to {last - 1}"
    raise Stalled(
        f"the gateway cannot listen on {host}: {ports} is taken", hint="give another port, or stop what listens there"
    )


def _affordable(connections: int) -> int:
    """A client's request needs a second connection, to its endpoint; a laptop's limit on open files may be 256."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return connections if soft == resource.RLIM_INFINITY else min(connections, max(16, (soft - 128) // 2))


class Server:
    """Accepts up to `limits.connections` clients, or what the process's open files allow, each served by a task of its own."""

    def __init__(self, dispatcher: Dispatcher, limits: Limits) -> None:
        self._dispatcher = dispatcher
        self._limits = limits
        self._most = _affordable(limits.connections)
        self._open: dict[asyncio.Task[None], ClientConnection] = {}
        self._stopping = False
        self._server: asyncio.Server | None = None

    async def start(self, listening: socket.socket) -> None:
        self._server = await asyncio.start_server(self._accept, sock=listening, limit=READ_SIZE, backlog=_BACKLOG)

    async def stop(self, timeout: float) -> None:
        """Accept no more, close what is idle, let the rest finish for `timeout` seconds, then cut it off."""
        self._stopping = True
        if self._server is not None:
            self._server.close()
        for task, connection in list(self._open.items()):
            if connection.idle:
                task.cancel()
        if self._open:
            await asyncio.wait(self._open, timeout=timeout)
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = (writer.get_extra_info("peername") or ("unknown",))[0]
        wire = Wire(h11.SERVER, (reader, writer), header_bytes=self._limits.header_bytes, stalled=self._limits.stalled)
        connection = ClientConnection(wire, str(peer), self._dispatcher, self._limits, lambda: self._stopping)
        full = len(self._open) >= self._most
        task = asyncio.get_running_loop().create_task(_overloaded(connection) if full else connection.serve())
        self._open[task] = connection
        task.add_done_callback(self._open.pop)


async def _overloaded(connection: ClientConnection) -> None:
    answer = Answer(503, "Overloaded", "The gateway has too many connections.", headers=((b"Retry-After", b"1"),))
    try:
        await connection.refuse(answer)
    except ClientGoneError:
        pass
    finally:
        connection.abort()

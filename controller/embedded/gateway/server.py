"""The listening socket and the connections that came in through it."""

from __future__ import annotations

import asyncio
import errno
import functools
import logging
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
_ACCEPT_PAUSE = 1.0
_log = logging.getLogger(__name__)


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
    """Accepts up to `limits.connections` clients, or what the process's open files allow, each served by a task of its own.

    It accepts by itself: asyncio's own server (Python 3.11) loses a connection that comes in while it is being closed.
    """

    def __init__(self, dispatcher: Dispatcher, limits: Limits) -> None:
        self._dispatcher = dispatcher
        self._limits = limits
        self._most = _affordable(limits.connections)
        self._tasks: set[asyncio.Task[None]] = set()
        self._connections: dict[asyncio.Task[None], ClientConnection] = {}
        self._stopping = False
        self._listening: socket.socket | None = None

    def start(self, listening: socket.socket) -> None:
        """Serve what comes in through this socket, and own it."""
        listening.setblocking(False)
        self._listening = listening
        self._resume()

    async def stop(self, timeout: float) -> None:
        """Accept no more, close what is idle, let the rest finish for `timeout` seconds, then cut it off."""
        self._stopping = True
        if self._listening is not None:
            asyncio.get_running_loop().remove_reader(self._listening)
            self._listening.close()
        for task in self._tasks:
            connection = self._connections.get(task)
            if connection is None or connection.idle:
                task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=timeout)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _resume(self) -> None:
        if self._listening is not None and not self._stopping:
            asyncio.get_running_loop().add_reader(self._listening, self._accept, self._listening)

    def _accept(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        try:
            accepted, address = listening.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return
        except OSError:  # no open file left: the socket stays readable, so look again after a pause
            loop.remove_reader(listening)
            loop.call_later(_ACCEPT_PAUSE, self._resume)
            return
        task = loop.create_task(self._serve(accepted, str(address[0])))
        self._tasks.add(task)
        task.add_done_callback(functools.partial(self._ended, accepted))

    async def _serve(self, accepted: socket.socket, peer: str) -> None:
        streams = await asyncio.open_connection(sock=accepted, limit=READ_SIZE)
        wire = Wire(h11.SERVER, streams, header_bytes=self._limits.header_bytes, stalled=self._limits.stalled)
        connection = ClientConnection(wire, peer, self._dispatcher, self._limits, lambda: self._stopping)
        task = asyncio.current_task()
        if task is None or len(self._connections) >= self._most:
            await _overloaded(connection)
            return
        self._connections[task] = connection
        await connection.serve()

    def _ended(self, accepted: socket.socket, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        connection = self._connections.pop(task, None)
        if connection is None and task.cancelled():
            accepted.close()  # cancelled before its first step: nothing in it could
        elif not task.cancelled() and (error := task.exception()):
            _log.debug("a connection ended before it began: %s", error)


async def _overloaded(connection: ClientConnection) -> None:
    answer = Answer(503, "Overloaded", "The gateway has too many connections.", headers=((b"Retry-After", b"1"),))
    try:
        await connection.refuse(answer)
    except ClientGoneError:
        pass
    finally:
        connection.abort()

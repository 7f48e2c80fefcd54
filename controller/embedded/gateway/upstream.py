"""A connection to one ready replica, and the short wait for one while there is none."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass

import h11

from controller.embedded.gateway.backends import Backends, Replica
from controller.embedded.gateway.limits import READ_SIZE, Limits
from controller.embedded.gateway.route import ServiceName
from controller.embedded.gateway.wire import Wire

_PAUSE = 0.05
"""Seconds between two rounds when every replica that is listed as ready refuses."""


class NoReplicaError(Exception):
    """Nobody to send to in time; `refused`: some were listed as ready and did not accept a connection."""

    def __init__(self, *, refused: bool) -> None:
        super().__init__("no replica")
        self.refused = refused


@dataclass(frozen=True, slots=True)
class Upstream:
    """One replica's attention; counts as its request until released."""

    replica: Replica
    wire: Wire

    def release(self, *, whole: bool) -> None:
        """End it: after what is still to be written when the exchange is whole, else at once."""
        self.replica.in_flight -= 1
        if whole:
            self.wire.close()
        else:
            self.wire.abort()


async def connect(backends: Backends, service: ServiceName, limits: Limits, *, avoiding: Replica | None) -> Upstream:
    """Connect to the least busy replica; one that refuses got no byte, so the next is tried. Raises `NoReplicaError`.

    `avoiding` is passed over while there is another one.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + limits.ready
    while True:
        late = loop.time() >= deadline  # a round that began in time is followed by another, however long it took
        refused: set[Replica] = set()
        upstream = await _first(backends, service, limits, avoiding, refused)
        if upstream is not None:
            return upstream
        if late or service in backends.parked:
            raise NoReplicaError(refused=bool(backends.ready(service)))
        left = max(deadline - loop.time(), 0.0)
        await backends.change(service, min(left, _PAUSE) if refused else left)


async def _first(
    backends: Backends, service: ServiceName, limits: Limits, avoiding: Replica | None, refused: set[Replica]
) -> Upstream | None:
    """The first replica that accepts a connection; those that do not are put into `refused`."""
    while True:
        replica = backends.choose(service, excluding=refused | ({avoiding} if avoiding else set()))
        replica = replica or backends.choose(service, excluding=refused)
        if replica is None:
            return None
        wire = await _open(replica, limits)
        if wire is not None:
            return Upstream(replica, wire)
        refused.add(replica)


async def _open(replica: Replica, limits: Limits) -> Wire | None:
    replica.in_flight += 1  # while it connects, so that two at once do not choose the same
    try:
        async with asyncio.timeout(limits.connect):
            streams = await asyncio.open_connection(replica.host, replica.port, limit=READ_SIZE)
        if _serves(streams[1]):
            return Wire(h11.CLIENT, streams, header_bytes=limits.header_bytes, stalled=limits.stalled)
        streams[1].transport.abort()
    except OSError:  # TimeoutError is one
        pass
    except asyncio.CancelledError:
        replica.in_flight -= 1
        raise
    replica.in_flight -= 1
    return None


def _serves(writer: asyncio.StreamWriter) -> bool:
    """Whether somebody else is at the other end, and still there.

    On loopback a connect to a free port can meet its own source port and succeed (TCP simultaneous open).
    """
    connection: socket.socket = writer.get_extra_info("socket")
    try:
        return bool(connection.getsockname() != connection.getpeername())
    except OSError:  # reset the moment it was accepted
        return False

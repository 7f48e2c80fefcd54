"""Ports of this host for replicas: below the ephemeral range, so that no outgoing connection takes one by chance.

Between choosing a port and the endpoint's own bind another program could take it; that endpoint then ends with
"address already in use", and its next start gets another port. Ports are numbers in memory: nothing survives a run.
"""

from __future__ import annotations

import random
import socket
import threading
from collections.abc import Iterable

from controller.model.errors import Transient

FIRST, LAST = 20000, 29999
"""Linux hands out 32768-60999 by itself, macOS 49152-65535."""


class PortPool:
    """Hands out free ports, each to one holder, the least recently used first. Thread-safe."""

    def __init__(self, first: int = FIRST, last: int = LAST) -> None:
        self._first = first
        self._count = last - first + 1
        self._next = random.randrange(self._count)  # noqa: S311  (spreads two controllers of one host, no secret)
        self._taken: set[int] = set()
        self._lock = threading.Lock()

    def reserve(self) -> int:
        """A port that nobody listens on now. Raises `Transient` when all are taken."""
        with self._lock:
            for _ in range(self._count):
                port = self._first + self._next
                self._next = (self._next + 1) % self._count
                if port not in self._taken and is_free(port):
                    self._taken.add(port)
                    return port
        raise Transient(f"no free port between {self._first} and {self._first + self._count - 1} on this machine")

    def claim(self, ports: Iterable[int]) -> None:
        """Count ports as taken that replicas of an earlier run still use."""
        with self._lock:
            self._taken.update(ports)

    def release(self, ports: Iterable[int]) -> None:
        """Give ports back; unknown ones are fine."""
        with self._lock:
            self._taken.difference_update(ports)


def is_free(port: int) -> bool:
    """Whether a server could bind the port on any address, as a trial (without SO_REUSEADDR, so TIME_WAIT counts as taken)."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as trial:
        try:
            trial.bind(("0.0.0.0", port))  # noqa: S104  (a trial that never listens)
        except OSError:
            return False
    return True


class PortHolders:
    """Who listens on a declared port itself, because its server does not follow the port mapping. Thread-safe."""

    def __init__(self) -> None:
        self._holders: dict[int, str] = {}
        self._lock = threading.Lock()

    def hold(self, port: int, replica: str) -> None:
        with self._lock:
            self._holders[port] = replica

    def release(self, replica: str) -> None:
        with self._lock:
            self._holders = {port: name for port, name in self._holders.items() if name != replica}

    def holder(self, port: int) -> str | None:
        """The replica that has the port, or None for a program that is not ours."""
        with self._lock:
            return self._holders.get(port)

"""Where a server listens that does not answer on its own port: the declared port itself, or one that nobody asks for."""

from __future__ import annotations

import time
from collections.abc import Mapping

from controller.embedded.runtime.process.listening import listening_ports
from controller.embedded.runtime.process.replica_process import ReplicaProcess
from controller.embedded.runtime.socket_table import foreign_ports

_FIRST = 0.5
_GROWTH = 1.5


class PortSearch:
    """Looks at a growing pace, since a look reads the whole process table."""

    def __init__(self, declared: int, mapped: Mapping[int, int]) -> None:
        self.hint = ""
        self._declared = declared
        self._mapped = mapped
        self._pause = _FIRST
        self._next = time.monotonic() + _FIRST

    def finds_declared(self, process: ReplicaProcess) -> bool:
        """Whether the server was seen on the declared port itself; notes other ports as a hint."""
        if time.monotonic() < self._next:
            return False
        self._pause *= _GROWTH
        self._next = time.monotonic() + self._pause
        found = listening_ports(process.members())
        self.hint = foreign_ports(found, {*self._mapped, *self._mapped.values()})
        return self._declared in found

"""Where a server listens that does not answer through its container's published port."""

from __future__ import annotations

import time

from controller.embedded.runtime.docker.containers import Containers, Gone
from controller.embedded.runtime.socket_table import Listener, foreign_ports, listeners
from controller.embedded.runtime.specification import ReplicaSpec
from controller.model.errors import PointsmanError

_FIRST = 1.0
_GROWTH = 1.5
_ASK = ["cat", "/proc/net/tcp", "/proc/net/tcp6"]


class ListenerSearch:
    """Asks inside the container, at a growing pace. An image without `cat` tells nothing."""

    def __init__(self, containers: Containers, container: str, spec: ReplicaSpec) -> None:
        self._containers = containers
        self._container = container
        self._spec = spec
        self._hint = ""
        self._pause = _FIRST
        self._next = time.monotonic() + _FIRST

    def hint(self) -> str:
        """What follows "nothing answers on port 8000"; empty where nothing is known."""
        if time.monotonic() >= self._next:
            self._pause *= _GROWTH
            try:
                self._hint = advice(list(listeners(self._containers.printed(self._container, _ASK))), self._spec)
            except (Gone, PointsmanError):
                self._hint = ""
            self._next = time.monotonic() + self._pause
        return self._hint


def advice(found: list[Listener], spec: ReplicaSpec) -> str:
    """PURE: what a server that listens so should do otherwise."""
    declared = [each for each in found if each.port == spec.port]
    if declared:
        only_local = all(each.is_local for each in declared)
        return "; it listens on 127.0.0.1 only: 0.0.0.0 lets others in" if only_local else ""
    return foreign_ports((each.port for each in found), spec.ports)

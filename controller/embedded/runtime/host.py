"""What all replicas of a runner share: the places, pools and settings of this host."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from controller.embedded.runtime.environment import PythonEnvironments
from controller.embedded.runtime.logs import LogDirectory
from controller.embedded.runtime.ports import PortPool
from controller.model.objects import Object
from controller.model.ports import ImageUnpacker

SEARCH_PATH = "/opt/homebrew/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
"""Where a replica finds the system's programs, after its environment's own."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """Pauses between restarts, in seconds: doubling from `first` to `longest`, anew after running for `reset`."""

    first: float = 1.0
    longest: float = 60.0
    reset: float = 600.0

    def after(self, previous: float, lived: float) -> float:
        """The pause that follows a pause of `previous` (0 = none yet) and a life of `lived`."""
        return self.first if not previous or lived >= self.reset else min(previous * 2, self.longest)


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


@dataclass(frozen=True, slots=True)
class Host:
    """`secret` reads (namespace, name). `run` holds a directory per replica; nothing in it outlives its replica."""

    unpacker: ImageUnpacker
    environments: PythonEnvironments
    ports: PortPool
    holders: PortHolders
    logs: LogDirectory
    run: Path
    secret: Callable[[str, str], Object | None]
    search_path: str = SEARCH_PATH
    backoff: Backoff = Backoff()
    drain: float = 1.0
    retry: float = 1.0
    """Seconds until a gate is looked at again: a missing Secret, a missing image, a full disk."""

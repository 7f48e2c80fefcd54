"""What all replicas of a runner share: the places, the runtime and the pauses."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from controller.embedded.runtime.instance import Runtime
from controller.embedded.runtime.logs import LogDirectory


@dataclass(frozen=True, slots=True)
class Backoff:
    """Pauses between restarts, in seconds: doubling from `first` to `longest`, anew after running for `reset`."""

    first: float = 1.0
    longest: float = 60.0
    reset: float = 600.0

    def after(self, previous: float, lived: float) -> float:
        """The pause that follows a pause of `previous` (0 = none yet) and a life of `lived`."""
        return self.first if not previous or lived >= self.reset else min(previous * 2, self.longest)


@dataclass(frozen=True, slots=True)
class Host:
    """`replicas` holds a directory per replica; nothing in it outlives its replica."""

    runtime: Runtime
    logs: LogDirectory
    replicas: Path
    backoff: Backoff = Backoff()
    drain: float = 1.0
    retry: float = 1.0
    """Seconds until a gate is looked at again: a missing Secret, a missing image, a full disk."""

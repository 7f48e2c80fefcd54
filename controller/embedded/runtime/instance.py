"""What a replica needs of whatever runs its instances: a small port, with one implementation per runtime."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from controller.embedded.runtime.logs import LogDirectory
from controller.embedded.runtime.specification import ReplicaSpec
from controller.model.objects import Object


class NotStarted(Exception):
    """Why no instance runs: `reason` in Kubernetes' words, `message` in ours."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


@dataclass(frozen=True, slots=True)
class Identity:
    """Which replica this is. `directory` is its own, `log` takes its output; `created` in seconds since the epoch."""

    name: str
    index: int
    directory: Path
    log: Path
    created: float


@dataclass(frozen=True, slots=True)
class Ending:
    """How an instance ended: `code` as a shell prints it (None: nobody knows), `words` its own last output.

    `reason` is Kubernetes' where there is more to say than the code says, such as `OOMKilled`.
    """

    code: int | None
    words: str
    reason: str | None = None


class Instance(Protocol):
    """One start of a replica, until it has ended. Used by the replica's thread."""

    @property
    def since(self) -> float:
        """When it was started, in seconds since the epoch."""
        ...

    @property
    def adopted(self) -> bool:
        """Whether an earlier run of the controller has started it."""
        ...

    @property
    def port(self) -> int:
        """Where it answers on 127.0.0.1."""
        ...

    @property
    def ended(self) -> bool: ...

    def wait(self, seconds: float) -> bool:
        """Whether it ended within this time."""
        ...

    def look(self) -> str | None:
        """Look after it once: None when it answers its probe, else why not, with `{port}` for the declared port."""
        ...

    def terminate(self) -> None:
        """Ask it to end."""
        ...

    def kill(self) -> None:
        """End it now."""
        ...

    def ending(self) -> Ending:
        """How it ended, once it has."""
        ...

    def forget(self) -> None:
        """Give back what it was given, once it has ended."""
        ...


@dataclass(frozen=True, slots=True)
class Survivor:
    """A replica that an earlier run left behind, of a template that may still be wanted.

    Either `adopt` goes on with its instance (the third argument is called when that ends), or `end` ends it.
    """

    namespace: str
    workload: str
    name: str
    index: int
    template: str
    created: float
    restarts: int
    adopt: Callable[[ReplicaSpec, Identity, Callable[[], None]], Instance]
    end: Callable[[], None]


class Runtime(Protocol):
    """Starts instances. Thread-safe: every replica asks from a thread of its own."""

    def launch(self, spec: ReplicaSpec, identity: Identity, restarts: int, on_end: Callable[[], None]) -> Instance:
        """Start one. `restarts` counts those before it; `on_end` is called once it has ended. Raises `NotStarted`."""
        ...

    def obstacle(self, spec: ReplicaSpec, words: str) -> str | None:
        """What an instance that ended with these words needs and somebody else has now; None where nothing is known of that."""
        ...

    def discard(self, identity: Identity) -> None:
        """Remove what a replica without an instance still has."""
        ...

    def survivors(self) -> Iterator[Survivor]:
        """What an earlier run left that may go on; everything else that it left is ended. Asked once, before any launch."""
        ...

    def close(self) -> None:
        """End whatever is still there, once every replica was told to end. Fine twice."""
        ...


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a runtime is given by its cluster. `run` is its own directory, with `replicas/<workload>/<index>` below it.

    `secret` reads a Secret by namespace and name.
    """

    run: Path
    logs: LogDirectory
    secret: Callable[[str, str], Object | None]

    @property
    def replicas(self) -> Path:
        return self.run / "replicas"


OpenRuntime = Callable[[Surroundings], Runtime]

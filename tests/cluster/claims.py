"""Which clusters this machine runs, whose they are, and what is left of them when they are gone.

A claim is one file per cluster number. Its owner is the process that wants the cluster; a claim whose owner is gone is removed,
with its cluster, by the owner's keeper at once (`keeper.py`) or else by whoever claims next.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from tests.cluster import control_groups, network
from tests.cluster.layout import CLAIMS, INDICES, Layout

_STATES = Path("/var/tmp")
_PATIENCE = 120.0


@dataclass(frozen=True)
class Process:
    """A pid alone could be another's by now; with the time it started, in clock ticks since boot, it is not."""

    pid: int
    started: int

    @classmethod
    def at(cls, pid: int) -> Process:
        return cls(pid, _state_and_start(pid)[1])

    def is_alive(self) -> bool:
        """Not so if only its parent has not asked yet how it ended."""
        with suppress(OSError):
            state, started = _state_and_start(self.pid)
            return started == self.started and state != "Z"
        return False


@dataclass(frozen=True)
class Claim:
    """Without an owner the cluster stays until someone removes it."""

    index: int
    state: Path
    owner: Process | None = None
    node: Process | None = None

    @property
    def layout(self) -> Layout:
        return Layout(self.index, self.state)

    @property
    def file(self) -> Path:
        return CLAIMS / f"{self.index}.json"

    def is_wanted(self) -> bool:
        if self.owner is not None:
            return self.owner.is_alive()
        return self.node is not None and self.node.is_alive()

    def write(self) -> None:
        made = self.file.with_suffix(".new")
        made.write_text(json.dumps({**asdict(self), "state": str(self.state)}))
        made.replace(self.file)


def claim(index: int | None, state: Path | None) -> Claim:
    """Take the number that is asked for, or the first that is free, as this process's own; leftovers are removed first."""
    with _alone():
        _tidy()
        taken = {found.index for found in _read()}
        for candidate in INDICES if index is None else [index]:
            made = Claim(candidate, state or _STATES / f"pointsman-test-cluster-{candidate}", Process.at(os.getpid()))
            if candidate not in taken and network.is_free(made.layout):
                _begin(made)
                return made
        wanted = "no number" if index is None else f"number {index} is not"
        raise OSError(f"{wanted} free for a cluster: see {CLAIMS}, and `ip route` for 10.99.N.0/29 and 10.24N.0.0/16")


def tidy() -> None:
    """Remove what nobody wants any more."""
    with _alone():
        _tidy()


def disown(found: Claim) -> None:
    """Let the cluster outlive this process."""
    replace(found, owner=None).write()


def remove(index: int) -> bool:
    """End a cluster and remove all that is left of it. Was it there?"""
    with _alone():
        for found in _read():
            if found.index == index:
                _remove(found)
                return True
    return False


def claimed() -> list[Claim]:
    """Every cluster that someone claims."""
    with _alone():
        return _read()


@contextmanager
def _alone() -> Iterator[None]:
    CLAIMS.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (CLAIMS / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _read() -> list[Claim]:
    return [_parse(json.loads(file.read_text())) for file in sorted(CLAIMS.glob("*.json"))]


def _parse(document: dict[str, object]) -> Claim:
    def process(value: object) -> Process | None:
        return Process(**value) if isinstance(value, dict) else None

    index, state = document["index"], document["state"]
    assert isinstance(index, int)
    return Claim(index, Path(str(state)), process(document["owner"]), process(document["node"]))


def _tidy() -> None:
    for found in _read():
        if not found.is_wanted():
            _remove(found)


def _begin(made: Claim) -> None:
    if made.state.exists() and any(made.state.iterdir()):
        raise OSError(f"{made.state} is not empty, and no cluster of this machine is known to keep its state there")
    made.state.mkdir(parents=True, exist_ok=True)
    made.write()
    control_groups.make(made.layout.cgroup)


def _remove(found: Claim) -> None:
    node = found.node
    if node is not None and node.is_alive():
        os.kill(node.pid, signal.SIGKILL)
        _until(lambda: not node.is_alive(), f"process {node.pid} to end")
    # The kernel takes a namespace's devices away some time after its last process.
    _until(lambda: not network.is_connected(found.layout), f"{found.layout.device} to go")
    _until(lambda: control_groups.is_removed(found.layout.cgroup), f"the control groups {found.layout.cgroup} to be empty")
    shutil.rmtree(found.state, ignore_errors=True)
    found.file.unlink(missing_ok=True)


def _until(done: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not done():
        if time.monotonic() > deadline:
            raise OSError(f"waited {_PATIENCE:.0f} s in vain for {what}")
        time.sleep(0.02)


def _state_and_start(pid: int) -> tuple[str, int]:
    """Fields 3 and 22 of proc_pid_stat(5); the second, in brackets, may hold anything."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return fields[0], int(fields[19])

"""One process owns a state directory. The kernel releases its lock with the process, however that ends."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from controller.model.errors import Stalled, Unavailable

_AGAIN = 0.05


@dataclass(frozen=True, slots=True)
class Owner:
    """A process: its id and when it started, in the system's own words, because ids are used again."""

    pid: int
    started: str

    @classmethod
    def of(cls, pid: int) -> Owner | None:
        """The process that has this id now, if any."""
        started = _start_of(pid)
        return cls(pid, started) if started else None

    @property
    def is_alive(self) -> bool:
        return _start_of(self.pid) == self.started


class OwnerLock:
    """Held from `acquire` to `release`. The file stays for ever: deleting it would let two processes lock two files."""

    def __init__(self, path: Path, patience: float = 0.0) -> None:
        """`patience`: seconds for which an owner is waited for that may soon be done."""
        self._path = path
        self._patience = patience
        self._descriptor = -1

    def acquire(self) -> Self:
        """Raises `Stalled` with the owner's pid when somebody else, or another part of this process, holds it."""
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise Unavailable(f"cannot open the lock {self._path}: {error.strerror}") from error
        try:
            _lock(descriptor, self._patience)
            _name_owner(descriptor)
        except BlockingIOError:
            os.close(descriptor)
            raise _taken(self._path) from None
        except OSError as error:
            os.close(descriptor)
            raise Unavailable(f"cannot lock {self._path}: {error.strerror}") from error
        self._descriptor = descriptor
        return self

    def release(self) -> None:
        """Give it up; safe to call twice."""
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            try:
                os.ftruncate(descriptor, 0)
            finally:
                os.close(descriptor)

    def __enter__(self) -> Self:
        return self.acquire()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.release()


def owner_of(path: Path) -> Owner | None:
    """Who holds the lock at `path`, as far as it can be seen without touching the lock; None for nobody.

    Trying the lock instead would refuse an owner that starts at the same moment.
    """
    try:
        named = json.loads(path.read_bytes()[:4096])
        owner = Owner(int(named["pid"]), str(named["started"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return owner if owner.is_alive else None


def _lock(descriptor: int, patience: float) -> None:
    deadline = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(_AGAIN)
        else:
            return


def _name_owner(descriptor: int) -> None:
    owner = Owner.of(os.getpid()) or Owner(os.getpid(), "")
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, json.dumps(asdict(owner)).encode(), 0)
    os.fsync(descriptor)


def _taken(path: Path) -> Stalled:
    owner = owner_of(path)
    who = f"process {owner.pid}" if owner else "another process"
    hint = f"use that one, or stop it first: kill {owner.pid}" if owner else "use that one, or stop it first"
    return Stalled(f"{who} owns {path.parent} already", hint=hint)


def _start_of(pid: int) -> str:
    """When a process started: clock ticks since boot from /proc (field 22 of stat), elsewhere what `ps` prints."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return "" if Path("/proc/self/stat").exists() else _start_from_ps(pid)
    fields = stat.rpartition(")")[2].split()  # the name before it may hold spaces and parentheses
    return "" if fields[0] in "ZX" else fields[19]


def _start_from_ps(pid: int) -> str:
    command = ["ps", "-o", "lstart=", "-p", str(pid)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=10).stdout.strip()

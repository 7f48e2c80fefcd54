"""What the system says about processes that need not be our children: alive, since when, which belong together.

Linux answers from /proc (proc_pid_stat(5)); elsewhere `ps` answers what it can: a family is then its leader's process group.
"""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

MARKER = "POINTSMAN_REPLICA"
"""Environment variable that names a replica's directory: inherited by every descendant, also one in a session of its own."""

_PROC = Path("/proc")
_PREFIX = f"{MARKER}=".encode()
_STATE, _SESSION, _START = 0, 3, 19
_ZOMBIE = "Z"


def start_time(pid: int) -> str | None:
    """An opaque text that no later process of the same id shares; None for a process that has ended."""
    if _has_proc():
        fields = _stat(pid)
        return f"{_boot()}/{fields[_START]}" if fields and fields[_STATE] != _ZOMBIE else None
    answer = subprocess.run(["ps", "-o", "lstart=,state=", "-p", str(pid)], capture_output=True, text=True, check=False)
    text, _, state = answer.stdout.strip().rpartition(" ")
    return text.strip() or None if not state.startswith(_ZOMBIE) else None


def family(leader: int, marker: str) -> set[int]:
    """The processes of a replica: those in its leader's session, and those that inherited its marker."""
    if not _has_proc():
        return _group(leader)
    wanted = marker.encode()
    return {p.pid for p in _SCANS.now() if leader == p.session or wanted == p.marker}


def marked(marker: str) -> set[int]:
    """The processes that carry a marker, whoever started them; empty where the system does not tell."""
    wanted = marker.encode()
    return {p.pid for p in _SCANS.now() if wanted == p.marker} if _has_proc() else set()


@dataclass(frozen=True, slots=True)
class _Process:
    """One living process; a zombie has neither session nor marker."""

    pid: int
    session: int | None
    marker: bytes | None


class _Scans:
    """Who asks while others do shares the first scan that begins after the question: 200 replicas that end at once
    would otherwise read the whole table 200 times.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._begun = 0
        self._done = 0
        self._last: tuple[_Process, ...] = ()

    def now(self) -> tuple[_Process, ...]:
        """Every process but this one, as of a moment after the call."""
        asked = self._begun
        with self._lock:
            if self._done <= asked:
                self._begun += 1
                self._last = tuple(_Process(pid, _session(pid), _marker(pid)) for pid in _processes())
                self._done = self._begun
            return self._last


_SCANS = _Scans()


def _group(leader: int) -> set[int]:
    answer = subprocess.run(["ps", "-axo", "pid=,pgid="], capture_output=True, text=True, check=False)
    pairs = (line.split() for line in answer.stdout.splitlines())
    return {int(pid) for pid, group in pairs if int(group) == leader}


def _has_proc() -> bool:
    return (_PROC / "self" / "stat").exists()


def _processes() -> Iterator[int]:
    own = os.getpid()
    return (pid for entry in os.listdir(_PROC) if entry.isdigit() and (pid := int(entry)) != own)  # noqa: PTH208


def _stat(pid: int) -> list[str]:
    """Fields from the third on: the second is the name in brackets, which may hold blanks and brackets."""
    with suppress(OSError):
        return (_PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()
    return []


def _session(pid: int) -> int | None:
    fields = _stat(pid)
    return int(fields[_SESSION]) if fields and fields[_STATE] != _ZOMBIE else None


def _marker(pid: int) -> bytes | None:
    with suppress(OSError):
        environment = (_PROC / str(pid) / "environ").read_bytes()
        return next((entry[len(_PREFIX) :] for entry in environment.split(b"\0") if entry.startswith(_PREFIX)), None)
    return None


def _boot() -> str:
    with suppress(OSError):
        return (_PROC / "sys/kernel/random/boot_id").read_text().strip()
    return ""

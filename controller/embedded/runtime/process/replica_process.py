"""A replica's processes: started so that none can exist without its record, watched, and ended as a family."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from controller.embedded.runtime.process.process_table import family, start_time

_WAIT_FOR_RECORD = 'read -r _ && exec "$@" </dev/null'
"""Keeps the new process from becoming the command before its record is on disk; without us it reads an end and is gone."""

_POLL = 0.2
_KILL_ROUNDS = 20


class ReplicaProcess:
    """The leader of a replica's processes, whether this run started it or an earlier one.

    `on_exit` is called once, from a thread of its own, after the leader has ended and what it left behind is killed.
    """

    def __init__(self, pid: int, marker: str, wait: Callable[[], int | None], on_exit: Callable[[], None]) -> None:
        self.pid = pid
        self.exit_code: int | None = None
        """As a shell prints it (128 + signal); None while it runs, and for one that we could not wait for."""
        self._marker = marker
        self._wait = wait
        self._on_exit = on_exit
        self._ended = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name=f"watch-{pid}", daemon=True)
        self._watcher.start()

    @property
    def ended(self) -> bool:
        return self._ended.is_set()

    def members(self) -> set[int]:
        """Every process of the replica, also those that left the leader's session."""
        return family(self.pid, self._marker)

    def terminate(self) -> None:
        """Ask all of them to end."""
        if not self.ended:
            _signal(self.members(), signal.SIGTERM)

    def kill(self) -> None:
        """End all of them now and wait for the leader."""
        if not self.ended:
            _signal({self.pid}, signal.SIGKILL)
        self._ended.wait()

    def wait(self, seconds: float) -> bool:
        """Whether it ended within this time."""
        return self._ended.wait(seconds)

    def _watch(self) -> None:
        self.exit_code = self._wait()
        kill_family(self.pid, self._marker)
        self._ended.set()
        self._on_exit()


def spawn(
    command: Sequence[str], *, cwd: Path, environment: Mapping[str, str], log: Path, marker: str,
    record: Callable[[int], None], on_exit: Callable[[], None],
) -> ReplicaProcess:  # fmt: skip
    """Start a command in a session of its own, its output appended to `log`; `record(pid)` is called before it runs.

    Output goes straight to the file, not through us: a pipe would break with us, and the endpoint must outlive a kill.
    """
    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        child = subprocess.Popen(
            ["/bin/sh", "-c", _WAIT_FOR_RECORD, "sh", *command],
            cwd=cwd, env=dict(environment), stdin=subprocess.PIPE, stdout=descriptor, stderr=descriptor,
            start_new_session=True,
        )  # fmt: skip
    finally:
        os.close(descriptor)
    try:
        record(child.pid)
        process = ReplicaProcess(child.pid, marker, lambda: _shell_code(child.wait()), on_exit)
    except BaseException:  # a full disk, or no thread left to watch it
        child.kill()
        _release(child, go=False)
        child.wait()
        raise
    _release(child, go=True)
    return process


def adopt(pid: int, started: str, marker: str, on_exit: Callable[[], None]) -> ReplicaProcess:
    """Watch a process of an earlier run; it is not our child, so its exit code stays unknown."""
    return ReplicaProcess(pid, marker, lambda: _wait_for_stranger(pid, started), on_exit)


def kill_family(leader: int, marker: str) -> None:
    """Kill what belongs to a replica whose leader has ended, until nothing is left (they may fork meanwhile)."""
    for _ in range(_KILL_ROUNDS):
        left = family(leader, marker) - {leader}
        if not left:
            return
        _signal(left, signal.SIGKILL)
        time.sleep(0.01)


def _release(child: subprocess.Popen[bytes], *, go: bool) -> None:
    assert child.stdin is not None  # noqa: S101  (started with PIPE)
    with suppress(BrokenPipeError), child.stdin as pipe:
        if go:
            pipe.write(b"\n")
            pipe.flush()


def _shell_code(code: int) -> int:
    return code if code >= 0 else 128 - code


def _wait_for_stranger(pid: int, started: str) -> None:
    descriptor = _open_pid(pid)
    if descriptor is not None:
        try:
            if start_time(pid) == started:
                poll = select.poll()
                poll.register(descriptor, select.POLLIN)
                poll.poll()
            return
        finally:
            os.close(descriptor)
    while start_time(pid) == started:
        time.sleep(_POLL)


def _open_pid(pid: int) -> int | None:
    """A pidfd (Linux 5.3), or None where there is none."""
    opener: Callable[[int], int] | None = getattr(os, "pidfd_open", None)
    with suppress(OSError):
        return opener(pid) if opener else None
    return None


def _signal(pids: set[int], number: int) -> None:
    for pid in pids:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)

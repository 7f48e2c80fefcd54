"""Runs uv: in its own process group, with a deadline, its words in a file, and its configuration from a pipe."""

from __future__ import annotations

import os
import signal
import subprocess
import sysconfig
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from uv import find_uv_bin

from controller.model.errors import Stalled, Transient

# Python 3.11 fills these without a lock, and a second thread reads them half full: so here, while one thread imports.
sysconfig.get_config_vars()

_TICK = 0.1
_LOG_END = 1 << 16
_LONGEST_CONFIGURATION = 1 << 14
"""Bytes that every system's pipes hold without a reader."""


@dataclass(frozen=True, slots=True)
class UvRun:
    """One run of uv in a directory. `log` gets all that it says, `output` what it prints where that is wanted alone."""

    arguments: Sequence[str]
    directory: Path
    log: Path
    environment: Mapping[str, str] | None = None
    configuration: str | None = None
    output: Path | None = None


def run_uv(run: UvRun, timeout: float, tick: Callable[[], None]) -> int:
    """Its exit code. `tick` is called while it runs and may raise to give up. Raises Transient after `timeout` seconds."""
    with run.log.open("ab") as log, (run.output or run.log).open("ab") as output, _piped(run.configuration) as pipe:
        given = [] if pipe is None else ["--config-file", f"/dev/fd/{pipe}"]
        process = subprocess.Popen(
            [find_uv_bin(), *run.arguments, *given],
            cwd=run.directory,
            env=run.environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=log,
            start_new_session=True,
            pass_fds=() if pipe is None else (pipe,),
        )
    try:
        return _wait(process, timeout, tick)
    except BaseException:
        _kill_group(process)
        raise


def end_of(log: Path) -> str:
    """What decides of a log, which a package's build may have filled with anything."""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - _LOG_END))
        return file.read(_LOG_END).decode(errors="replace")


@contextmanager
def _piped(text: str | None) -> Iterator[int | None]:
    """A descriptor that a process reads `text` from: neither a file nor an argument nor the environment shows it."""
    if text is None:
        yield None
        return
    data = text.encode()
    if len(data) > _LONGEST_CONFIGURATION:
        raise Stalled("the package indexes and their passwords are too long", hint="look what is in the password files")
    reading, writing = os.pipe()
    try:
        with os.fdopen(writing, "wb") as file:
            file.write(data)
        yield reading
    finally:
        os.close(reading)


def _wait(process: subprocess.Popen[bytes], timeout: float, tick: Callable[[], None]) -> int:
    deadline = time.monotonic() + timeout
    while True:
        tick()
        try:
            return process.wait(_TICK)
        except subprocess.TimeoutExpired:
            if time.monotonic() > deadline:
                hint = "check the network and the package index; it is tried again"
                raise Transient(f"installing the requirements took longer than {timeout:g} s", hint=hint) from None


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    """End uv and the builds that it started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()

"""What this process and those that it started have used so far. Linux only, as the test cluster is."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def peak_memory() -> float:
    """MiB. Not what `getrusage` says, which counts the process that started this one too."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024


def processor_seconds_of_all() -> float:
    """Of this process, of all that run below it, and of those that have ended; in hundredths of a second."""
    lines = {pid: fields for pid, fields in _statistics() if fields}
    below = {os.getpid()}
    while more := {pid for pid, fields in lines.items() if int(fields[1]) in below} - below:
        below |= more
    return sum(sum(map(int, lines[pid][11:15])) for pid in below) / _TICKS


def _statistics() -> Iterator[tuple[int, list[str]]]:
    """Each process and its fields of proc(5) `stat`, from the state on: the name before it may hold anything."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = path.read_text()
        except OSError:
            continue
        yield int(path.parent.name), text.rpartition(")")[2].split()

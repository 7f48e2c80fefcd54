"""What this process has used so far. Linux only, as the test cluster is."""

from __future__ import annotations

import resource
from pathlib import Path


def processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def peak_memory() -> float:
    """MiB. Not what `getrusage` says, which counts the process that started this one too."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024

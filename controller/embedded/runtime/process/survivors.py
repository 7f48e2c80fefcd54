"""One file per replica that says which process it is, so that the next run finds what a killed one left behind."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from controller.embedded.runtime.process.process_table import family, marked, start_time

_FILE = "replica.json"
_ROUNDS, _PAUSE = 20, 0.01


@dataclass(frozen=True, slots=True)
class ReplicaRecord:
    """`started` is the leader's start time as the system tells it; `port` where the endpoint answers on this host."""

    namespace: str
    workload: str
    name: str
    index: int
    template: str
    image: str
    pid: int
    started: str
    port: int
    ports: Mapping[str, int]
    created: float
    running_since: float
    restarts: int
    log_start: int

    @property
    def alive(self) -> bool:
        return start_time(self.pid) == self.started


def write_record(directory: Path, record: ReplicaRecord) -> None:
    """Atomic: a reader sees the old record or the new one."""
    temporary = directory / f".{_FILE}"
    temporary.write_text(json.dumps(asdict(record)))
    temporary.replace(directory / _FILE)


def remove_record(directory: Path) -> None:
    (directory / _FILE).unlink(missing_ok=True)


def read_records(run: Path) -> Iterator[tuple[Path, ReplicaRecord | None]]:
    """Every replica directory `<run>/<workload>/<index>` with its record; None where it is absent or torn."""
    for directory in sorted(run.glob("*/*")):
        record = None
        with suppress(OSError, ValueError, TypeError):
            record = ReplicaRecord(**json.loads((directory / _FILE).read_text()))
        yield directory, record


def end_survivors(directory: Path, record: ReplicaRecord | None) -> None:
    """Kill what is left of a replica that nobody wants any more, until nothing is left (it may fork meanwhile).

    A dead leader's number may belong to somebody else by now, so then only what carries the replica's mark is killed.
    """
    marker = str(directory)
    for _ in range(_ROUNDS):
        left = family(record.pid, marker) | {record.pid} if record and record.alive else marked(marker)
        if not left:
            return
        for pid in left:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(_PAUSE)

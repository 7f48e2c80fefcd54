from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cluster import control_groups

pytestmark = pytest.mark.faults

START = """\
import sys, time
from pathlib import Path
from tests.docker_engine.engine import running_engine
with running_engine(Path(sys.argv[1]), containers=True) as engine:
    print(engine.socket, flush=True)
    time.sleep(600)
"""
ROOT = Path(__file__).parents[2]


def test_nothing_of_an_engine_outlives_a_killed_test(tmp_path: Path) -> None:
    owner = subprocess.Popen([sys.executable, "-c", START, str(tmp_path)], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        assert owner.stdout is not None
        socket = owner.stdout.readline().strip()
        assert socket
        assert processes_of(tmp_path), "the Engine's processes are not found while it runs"
    finally:
        owner.send_signal(signal.SIGKILL)
        owner.communicate()
    eventually(lambda: not processes_of(tmp_path))
    eventually(lambda: not groups_of(owner.pid))
    assert str(tmp_path) not in Path("/proc/mounts").read_text()


def processes_of(folder: Path) -> list[str]:
    """Command lines that name the folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if str(folder) in command and process.name != str(os.getpid()):
            found.append(command)
    return found


def groups_of(owner: int) -> list[Path]:
    return [group for hierarchy in control_groups.hierarchies() for group in hierarchy.glob(f"pointsman-docker-{owner}-*")]


def eventually(look: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not look():
        assert time.monotonic() < deadline
        time.sleep(0.05)

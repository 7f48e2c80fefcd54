"""Real processes under a real store; whatever a test leaves running is killed by its mark."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from controller.embedded.store import EmbeddedStore
from tests.embedded.runtime.cluster import Cluster


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with ExitStack() as stack:
        stack.callback(kill_everything_below, tmp_path)
        store = stack.enter_context(EmbeddedStore(tmp_path / "store"))
        cluster = Cluster(tmp_path, store)
        stack.callback(cluster.close)
        yield cluster


def kill_everything_below(directory: Path) -> None:
    for pid in running_below(directory):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def running_below(directory: Path) -> set[int]:
    """Processes whose environment names this directory: every replica's does."""
    found = set()
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if int(entry.name) != os.getpid() and f"POINTSMAN_REPLICA={directory}".encode() in (entry / "environ").read_bytes():
                found.add(int(entry.name))
    return found

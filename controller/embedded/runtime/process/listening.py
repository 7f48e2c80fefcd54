"""Which TCP ports the processes of a replica listen on, without connecting to them (Linux: /proc/net/tcp and tcp6)."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from controller.embedded.runtime.socket_table import listeners

_TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))


def listening_ports(processes: Iterable[int]) -> frozenset[int]:
    """The ports that any of these processes listens on; empty where the system does not tell."""
    table = _listeners()
    if not table:
        return frozenset()
    inodes = {inode for pid in processes for inode in _socket_inodes(pid)}
    return frozenset(port for inode, port in table.items() if inode in inodes)


def _listeners() -> Mapping[str, int]:
    """Socket inode to port of every listening socket."""
    found = {}
    for table in _TABLES:
        with suppress(OSError):
            found.update({each.inode: each.port for each in listeners(table.read_text())})
    return found


def _socket_inodes(pid: int) -> set[str]:
    found = set()
    with suppress(OSError):
        for entry in os.scandir(f"/proc/{pid}/fd"):
            with suppress(OSError):
                target = os.readlink(entry.path)  # noqa: PTH115  (thousands of them; a Path each costs)
                if target.startswith("socket:["):
                    found.add(target[8:-1])
    return found

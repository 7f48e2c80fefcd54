"""Which TCP ports the processes of a replica listen on, without connecting to them (Linux: /proc/net/tcp and tcp6)."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

_LISTEN = "0A"
_TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))


def listening_ports(processes: Iterable[int]) -> frozenset[int]:
    """The ports that any of these processes listens on; empty where the system does not tell."""
    table = _listeners()
    if not table:
        return frozenset()
    inodes = {inode for pid in processes for inode in _socket_inodes(pid)}
    return frozenset(port for inode, port in table.items() if inode in inodes)


def _listeners() -> Mapping[str, int]:
    """Socket inode to port of every listening socket (columns: kernel's Documentation/networking/proc_net_tcp)."""
    found = {}
    for table in _TABLES:
        with suppress(OSError):
            for line in table.read_text().splitlines()[1:]:
                columns = line.split()
                if columns[3] == _LISTEN:
                    found[columns[9]] = int(columns[1].rpartition(":")[2], 16)
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

"""The kernel's own list of listening TCP sockets (columns: its Documentation/networking/proc_net_tcp). Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_LISTEN = "0A"
_LOOPBACKS = frozenset({"0100007F", "00000000000000000000000001000000", "0000000000000000FFFF00000100007F"})
"""127.0.0.1, ::1 and ::ffff:127.0.0.1 as the kernel writes them on little-endian machines, which all of ours are."""


@dataclass(frozen=True, slots=True)
class Listener:
    """`is_local`: nobody outside the machine, or container, reaches it."""

    port: int
    inode: str
    is_local: bool


def listeners(table: str) -> Iterator[Listener]:
    """Those of /proc/net/tcp and tcp6, in one text or several."""
    for line in table.splitlines():
        columns = line.split()
        if len(columns) > 9 and columns[3] == _LISTEN:
            address, _, port = columns[1].rpartition(":")
            yield Listener(int(port, 16), columns[9], address in _LOOPBACKS)


def foreign_ports(found: Iterable[int], expected: Iterable[int]) -> str:
    """A hint about ports that a server listens on although nobody asks there; empty without any."""
    others = sorted(set(found) - set(expected))
    if not others:
        return ""
    return f"; it listens on port {', '.join(map(str, others))}: `port: {others[0]}` in valohai.yaml would say so"

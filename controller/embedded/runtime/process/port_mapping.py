"""Loaded by every Python process of a replica: a bind to the declared port becomes one to the replica's own.

Several replicas and versions that all say "port 8000" so run side by side on one host. Only TCP, only the ports in
`POINTSMAN_PORTS` (`8000:20123,...`), and on the loopback interface only: on a laptop an endpoint must not be open to
the network past the gateway's access rules. The file is copied into each environment; it imports nothing of Pointsman.
"""

from __future__ import annotations

import os
import socket
from typing import Any

VARIABLE = "POINTSMAN_PORTS"


def install(text: str) -> None:
    """Replace `socket.socket.bind` (asyncio, http.server, gunicorn, uvicorn, uvloop and tornado all end there)."""
    ports = {int(declared): int(own) for declared, own in (pair.split(":") for pair in text.split(",") if pair)}
    original = socket.socket.bind

    def bind(self: socket.socket, address: Any) -> None:
        original(self, _mapped(self, address, ports))

    patched: Any = socket.socket
    patched.bind = bind


def _mapped(sock: socket.socket, address: Any, ports: dict[int, int]) -> Any:
    if sock.family not in (socket.AF_INET, socket.AF_INET6) or sock.type != socket.SOCK_STREAM:
        return address
    if not isinstance(address, tuple) or len(address) < 2 or address[1] not in ports:
        return address
    return (_loopback(sock), ports[address[1]], *address[2:])


def _loopback(sock: socket.socket) -> str:
    """A dual-stack socket answers on 127.0.0.1 only when it is bound to the mapped IPv4 address."""
    if sock.family == socket.AF_INET:
        return "127.0.0.1"
    only_v6 = sock.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)
    return "::1" if only_v6 else "::ffff:127.0.0.1"


if os.environ.get(VARIABLE):
    install(os.environ[VARIABLE])

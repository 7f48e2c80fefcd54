"""A declared port that somebody else has: how to tell, and what to say. Pure."""

from __future__ import annotations

import re

_IN_USE = re.compile(r"EADDRINUSE|address (is )?already in use", re.IGNORECASE)


def says_port_in_use(output: str) -> bool:
    """Whether a server's last words are that its port is taken (the system's own text, or Node's name for it)."""
    return _IN_USE.search(output) is not None


def blocked_message(port: int, holder: str | None) -> str:
    """Why this replica waits. `holder` is the replica that has the port, None for another program."""
    if holder is None:
        return f"port {port} is taken by another program on this machine, and this server cannot be given another port"
    return (
        f"port {port} is held by {holder}: a server that does not follow the port mapping (not Python, or it binds below it) "
        "runs as one replica of one version at a time; the Docker runtime has no such limit"
    )

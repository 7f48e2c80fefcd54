"""The wire between this machine and a node: a veth pair, and routes to the pods."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable
from ipaddress import IPv4Network
from pathlib import Path

from tests.cluster.layout import Layout


def is_free(layout: Layout) -> bool:
    """Does nothing on this machine lead to the cluster's addresses yet?"""
    return not any(known.overlaps(own) for known in _routes() for own in (layout.link, layout.pods))


def is_connected(layout: Layout) -> bool:
    """Is the cluster's device there?"""
    return Path("/sys/class/net", layout.device).exists()


def connect(layout: Layout, node: int) -> None:
    """Wire the network namespace of the process `node`; the kernel takes the pair and its routes away with it."""
    _ip("link", "add", layout.device, "type", "veth", "peer", "name", "eth0", "netns", str(node))
    _ip("address", "add", f"{layout.host}/{layout.link.prefixlen}", "dev", layout.device)
    _ip("link", "set", layout.device, "up")
    _ip("link", "set", "eth0", "up", within=node)
    for address in layout.gateway_addresses:
        _ip("address", "add", f"{address}/{layout.link.prefixlen}", "dev", "eth0", within=node)
    _ip("route", "add", "default", "via", layout.host, within=node)
    _ip("route", "replace", str(layout.pods), "via", layout.node)


def _routes() -> Iterable[IPv4Network]:
    for route in json.loads(_ip("-json", "-4", "route", "show")):
        if route["dst"] != "default":
            yield IPv4Network(route["dst"])


def _ip(*arguments: str, within: int | None = None) -> str:
    inside = ["nsenter", "--target", str(within), "--net"] if within else []
    done = subprocess.run([*inside, "ip", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(f"ip {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout

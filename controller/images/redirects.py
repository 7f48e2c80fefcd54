"""Where a redirect may lead: to the public internet, as object stores do it, or to what is granted; not into this network.

Which bytes come is no matter, for their digest is known. What must not happen is that whoever answers a request of the
controller has it ask machines that only the controller can reach.
"""

from __future__ import annotations

import socket
from collections.abc import Collection
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import httpx2

from controller.model.errors import Stalled
from controller.model.file_address import is_granted

_NAT64 = ip_network("64:ff9b::/96")


def require_allowed(target: httpx2.URL, begun: httpx2.URL, granted: Collection[str]) -> None:
    """Raise `Stalled` for a redirect from `begun` into this network, unless the target is granted or on the same host.

    Names are looked up once here and once by the connection; a name that changes in between has to prove itself by the
    target's certificate all the same.
    """
    if (target.host, target.port) == (begun.host, begun.port) or is_granted(str(target), granted):
        return
    inside = next((address for address in _addresses(target) if not _is_public(address)), None)
    if inside is not None:
        where = f"{target.host} ({inside})" if inside != target.host else inside
        hint = (
            "name the file's last address in the version; whoever runs the controller grants it as one of `grants.filePrefixes`"
        )
        raise Stalled(f"{begun.host} redirects to {where}, which is no public address", hint=hint)


def _addresses(target: httpx2.URL) -> list[str]:
    """Every address of the host; none for a name that cannot be found here, as where only a proxy finds it."""
    try:
        found = socket.getaddrinfo(target.host, target.port or 443, type=socket.SOCK_STREAM)
    except OSError:
        return []
    return [str(address[0]).partition("%")[0] for *_, address in found]


def _is_public(text: str) -> bool:
    address = ip_address(text)
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or _translated(address)
        address = inner or address
    return address.is_global and not address.is_multicast


def _translated(address: IPv6Address) -> IPv4Address | None:
    return IPv4Address(int(address) & 0xFFFFFFFF) if address in _NAT64 else None

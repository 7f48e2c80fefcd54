"""Where a target's routes are answered, as its own objects say."""

from __future__ import annotations

from collections.abc import Iterable

from controller.model.errors import PointsmanError
from controller.model.identity import ObjectKey
from controller.model.objects import Object, at
from controller.model.ports import ClusterClient

_STANDARD = {"HTTP": 80, "HTTPS": 443}


def gateway_url(client: ClusterClient, routes: Iterable[Object]) -> str:
    """The base URL of the Gateway that the routes name, by its host name or first address; empty where nobody can tell."""
    route = next(iter(routes), None)
    parent = at(route, "spec", "parentRefs", 0) if route else None
    if not parent or not route:
        return ""
    key = ObjectKey("Gateway", parent.get("namespace", route["metadata"].get("namespace", "")), parent["name"])
    try:
        gateway = client.get(key)
    except PointsmanError:
        return ""  # a caller without the right to read Gateways sees paths alone
    return _url(gateway, at(route, "spec", "hostnames", 0), parent.get("sectionName")) if gateway else ""


def _url(gateway: Object, hostname: str | None, section: str | None) -> str:
    listeners = at(gateway, "spec", "listeners", default=[])
    listener = next((each for each in listeners if section in (None, each.get("name"))), None)
    host = hostname or at(gateway, "status", "addresses", 0, "value")
    if listener is None or not host:
        return ""
    scheme = "https" if listener.get("protocol") == "HTTPS" else "http"
    standard = listener.get("port") == _STANDARD[scheme.upper()]
    return f"{scheme}://{host}" if standard else f"{scheme}://{host}:{listener.get('port')}"

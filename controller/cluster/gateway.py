"""What the Gateway that routes attach to is, and what its class can do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from controller.model.identity import ObjectKey
from controller.model.objects import Object, at
from controller.model.ports import ClusterClient


@dataclass(frozen=True, slots=True)
class Listener:
    """`allowed_from` is whose routes may attach: `All`, `Same` or `Selector`; `hostname` is empty for any."""

    name: str
    port: int
    protocol: str
    hostname: str
    allowed_from: str


@dataclass(frozen=True, slots=True)
class GatewayFacts:
    """A Gateway that is not there has `exists` False and nothing else.

    `controller` is the class's `controllerName`, `features` the names that the class reports as supported, `addresses`
    where the Gateway listens.
    """

    exists: bool
    controller: str = ""
    features: frozenset[str] = frozenset()
    listeners: tuple[Listener, ...] = ()
    addresses: tuple[str, ...] = ()

    @property
    def allowed_from(self) -> frozenset[str]:
        """Whose routes any of the listeners takes."""
        return frozenset(listener.allowed_from for listener in self.listeners)


def discover_gateway(client: ClusterClient, namespace: str, name: str) -> GatewayFacts:
    """Two requests. Raises what the client raises; `Stalled` where the Gateway API is not installed."""
    gateway = client.get(ObjectKey("Gateway", namespace, name))
    if gateway is None:
        return GatewayFacts(exists=False)
    class_name = at(gateway, "spec", "gatewayClassName", default="")
    return gateway_facts(gateway, client.get(ObjectKey("GatewayClass", "", class_name)) if class_name else None)


def gateway_facts(gateway: Object, gateway_class: Object | None) -> GatewayFacts:
    """What the two objects say. Pure."""
    reported = at(gateway_class or {}, "status", "supportedFeatures", default=())
    addresses = at(gateway, "status", "addresses", default=())
    return GatewayFacts(
        exists=True,
        controller=at(gateway_class or {}, "spec", "controllerName", default=""),
        features=frozenset(_feature(item) for item in reported),
        listeners=tuple(_listener(item) for item in at(gateway, "spec", "listeners", default=())),
        addresses=tuple(item["value"] for item in addresses if item.get("value")),
    )


def _feature(item: Any) -> str:
    """Objects with a name since Gateway API 1.3, plain text before."""
    return str(item["name"] if isinstance(item, dict) else item)


def _listener(item: Object) -> Listener:
    return Listener(
        name=item["name"],
        port=item["port"],
        protocol=item["protocol"],
        hostname=item.get("hostname") or "",
        allowed_from=at(item, "allowedRoutes", "namespaces", "from", default="Same"),
    )

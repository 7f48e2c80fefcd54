"""Where the kinds that Pointsman knows live on an API server. Pure; nothing is discovered, so nothing is asked."""

from __future__ import annotations

from urllib.parse import quote

from controller.model.errors import Stalled
from controller.model.identity import ObjectKey
from controller.model.objects import API_VERSIONS, CLUSTER_SCOPED

_IRREGULAR = {"NetworkPolicy": "networkpolicies", "SecurityPolicy": "securitypolicies", "GatewayClass": "gatewayclasses"}

INSTALL_HINTS = {
    "gateway.networking.k8s.io": "install the Gateway API: https://gateway-api.sigs.k8s.io/guides/#installing-gateway-api",
    "traefik.io": "install Traefik's definitions: https://doc.traefik.io/traefik/reference/install-configuration/providers/kubernetes/kubernetes-crd/",
    "gateway.envoyproxy.io": "install Envoy Gateway: https://gateway.envoyproxy.io/docs/install/",
}
"""What to do where the definitions of an API group are missing."""


def plural(kind: str) -> str:
    """The resource's name in paths and in RBAC rules."""
    return _IRREGULAR.get(kind, kind.lower() + "s")


def group(kind: str) -> str:
    """The API group; empty for the core one. Raises `Stalled` for a kind that Pointsman does not know."""
    return api_version(kind).rpartition("/")[0]


def api_version(kind: str) -> str:
    """Raises `Stalled` for a kind that Pointsman does not know."""
    try:
        return API_VERSIONS[kind]
    except KeyError:
        raise Stalled(f"there is no kind {kind!r}", hint=f"known are {', '.join(API_VERSIONS)}") from None


def resource(kind: str) -> str:
    """The resource with its group, as in the name of a CustomResourceDefinition: `httproutes.gateway.networking.k8s.io`."""
    return f"{plural(kind)}.{group(kind)}".rstrip(".")


def collection_path(kind: str, namespace: str | None = None) -> str:
    """All objects of a kind, of one namespace or everywhere."""
    version = api_version(kind)
    root = f"/apis/{version}" if "/" in version else f"/api/{version}"
    inside = f"/namespaces/{quote(namespace, safe='')}" if namespace and kind not in CLUSTER_SCOPED else ""
    return f"{root}{inside}/{plural(kind)}"


def object_path(key: ObjectKey) -> str:
    """One object. Raises `Stalled` for a key that would lead to a collection or to another object."""
    if not key.name or key.name in (".", ".."):
        raise Stalled(f"{key.kind} has a name that is not a DNS name: {key.name!r}")
    if key.kind in CLUSTER_SCOPED:
        if key.namespace:
            raise Stalled(f"{key.kind} {key.name} lies in no namespace, but names {key.namespace!r}")
    elif not key.namespace or key.namespace in (".", ".."):
        raise Stalled(f"{key.kind} {key.name} needs a namespace")
    return f"{collection_path(key.kind, key.namespace)}/{quote(key.name, safe='')}"

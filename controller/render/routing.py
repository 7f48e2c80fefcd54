"""HTTPRoutes: one URL = one route = one rule, without its backend, which the plan decides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from controller.model import labels
from controller.model.declared import Alias, Deployment, ServedVersion
from controller.model.desired import AliasRoutes, Route
from controller.model.errors import Stalled
from controller.render.names import route_name
from controller.render.scope import Scope

EMBEDDED_CLASS = "pointsman.dev/embedded"
_GATEWAY_GROUP = "gateway.networking.k8s.io"
_MOST_SECONDS = 99_999
"""A unit of Gateway API's Duration has at most five digits (GEP-2257)."""


def version_route(scope: Scope, served_by: Deployment, served: ServedVersion, endpoint: str) -> Route:
    """The URL of one endpoint of one version."""
    version = served.version.name
    return _route(
        scope, served_by, version, endpoint, timeout=served.settings[endpoint].timeout, said={labels.VERSION: version}
    )


def alias_routes(scope: Scope, served_by: Deployment, alias: Alias) -> AliasRoutes:
    """The URLs of an alias: those of its version's endpoints."""
    served = served_by.versions[alias.version]
    said = {labels.ALIAS: alias.name}
    routes: Mapping[str, Route] = {
        endpoint: _route(scope, served_by, alias.name, endpoint, timeout=served.settings[endpoint].timeout, said=said)
        for endpoint in served.version.endpoints
    }
    return AliasRoutes(alias.name, alias.version, alias.location.file, routes)


def _route(
    scope: Scope, served_by: Deployment, segment: str, endpoint: str, *, timeout: float, said: Mapping[str, str]
) -> Route:
    path = f"{scope.unit.path}/{segment}/{endpoint}"
    name = route_name(endpoint, segment, path)
    rule = {
        "matches": [{"path": {"type": "PathPrefix", "value": path}}],
        "filters": [*_access(scope, served_by), _prefix_headers(path)],
        "timeouts": {"request": duration(timeout)},
    }
    parent = {
        "group": _GATEWAY_GROUP,
        "kind": "Gateway",
        "name": scope.target.gateway,
        "namespace": scope.target.gateway_namespace,
    }
    annotations = {**said, labels.ENDPOINT: endpoint, labels.PATH: path}
    template = scope.object("HTTPRoute", name, {"spec": {"parentRefs": [parent], "rules": [rule]}}, annotations=annotations)
    return Route(scope.key("HTTPRoute", name), path, endpoint, template)


def _prefix_headers(path: str) -> dict[str, Any]:
    """The endpoint sees the full path, and in headers the prefix that was used: the version's or the alias's."""
    values = [{"name": name, "value": path} for name in (labels.VH_PREFIX, labels.FORWARDED_PREFIX)]
    return {"type": "RequestHeaderModifier", "requestHeaderModifier": {"set": values}}


def _access(scope: Scope, served_by: Deployment) -> list[dict[str, Any]]:
    """The filter that asks for a password, first in the list. A gateway that cannot ask gets no route at all."""
    if served_by.basic_auth is None:
        return []
    if scope.target.gateway_class != EMBEDDED_CLASS:
        raise Stalled(
            f"deployment {served_by.name}: access.basicAuth cannot be had from gateway class {scope.target.gateway_class!r}"
            f" of target {scope.target.name!r}; nothing is served open instead",
            hint=f"{served_by.location}: remove `access`, or choose another `target`",
        )
    reference = {"group": "pointsman.dev", "kind": "BasicAuth", "name": served_by.basic_auth}
    return [{"type": "ExtensionRef", "extensionRef": reference}]


def duration(seconds: float) -> str:
    """Gateway API's Duration: `60s`, `1s500ms`; hours only where the seconds alone would need too many digits."""
    whole, thousandths = divmod(max(round(seconds * 1000), 1), 1000)
    hours, rest = divmod(whole, 3600) if whole > _MOST_SECONDS else (0, whole)
    parts = ((hours, "h"), (rest, "s"), (thousandths, "ms"))
    return "".join(f"{amount}{unit}" for amount, unit in parts if amount)

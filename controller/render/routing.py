"""HTTPRoutes: one URL = one route = one rule, without its backend, which the plan decides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from controller.model import labels
from controller.model.declared import Alias, Deployment, EndpointSettings, ServedVersion
from controller.model.desired import AliasRoutes, Route, TargetProfile
from controller.render.access import EMBEDDED_CLASS, Guard
from controller.render.names import route_name
from controller.render.scope import Scope

_GATEWAY_GROUP = "gateway.networking.k8s.io"
_MOST_SECONDS = 99_999
"""A unit of Gateway API's Duration has at most five digits (GEP-2257)."""


def version_route(scope: Scope, guard: Guard, served: ServedVersion, endpoint: str) -> Route:
    """The URL of one endpoint of one version."""
    version = served.version.name
    return _route(scope, guard, version, endpoint, timeout=served.settings[endpoint].timeout, said={labels.VERSION: version})


def alias_routes(scope: Scope, guard: Guard, served_by: Deployment, alias: Alias) -> AliasRoutes:
    """The URLs of an alias: those of its version's endpoints."""
    served = served_by.versions[alias.version]
    said = {labels.ALIAS: alias.name}
    routes: Mapping[str, Route] = {
        endpoint: _route(scope, guard, alias.name, endpoint, timeout=served.settings[endpoint].timeout, said=said)
        for endpoint in served.version.endpoints
    }
    return AliasRoutes(alias.name, alias.version, alias.location.file, routes)


def timeout_notices(target: TargetProfile, served_by: Deployment) -> tuple[str, ...]:
    """One sentence per endpoint whose timeout somebody chose and this target's gateway does not keep."""
    if has_timeouts(target):
        return ()
    settings = (item for served in served_by.versions.values() for item in served.settings.items())
    chosen = sorted({(endpoint, s.timeout) for endpoint, s in settings if s.timeout != EndpointSettings().timeout})
    lead = f"gateway class {target.gateway_class} ends no request that takes too long"
    return tuple(f"{endpoint}: {lead}; timeout {duration(seconds)} has no effect there" for endpoint, seconds in chosen)


def has_timeouts(target: TargetProfile) -> bool:
    """Whether the gateway keeps `timeouts` of a rule: an optional feature, which some classes refuse the whole rule for."""
    return target.gateway_class == EMBEDDED_CLASS or "HTTPRouteRequestTimeout" in target.features


def _route(scope: Scope, guard: Guard, segment: str, endpoint: str, *, timeout: float, said: Mapping[str, str]) -> Route:
    path = f"{scope.unit.path}/{segment}/{endpoint}"
    name = route_name(endpoint, segment, path)
    rule = {
        "matches": [{"path": {"type": "PathPrefix", "value": path}}],
        "filters": [*guard.filters, _prefix_headers(path, guard.removed)],
        **({"timeouts": {"request": duration(timeout)}} if has_timeouts(scope.target) else {}),
    }
    annotations = {**said, labels.ENDPOINT: endpoint, labels.PATH: path}
    hostnames = {"hostnames": list(scope.target.hostnames)} if scope.target.hostnames else {}
    body = {"spec": {**hostnames, "parentRefs": [_parent(scope.target)], "rules": [rule]}}
    template = scope.object("HTTPRoute", name, body, annotations=annotations)
    policy = guard.policy(name, annotations) if guard.policy else None
    return Route(scope.key("HTTPRoute", name), path, endpoint, template, policy)


def _parent(target: TargetProfile) -> dict[str, str]:
    parent = {
        "group": _GATEWAY_GROUP,
        "kind": "Gateway",
        "name": target.gateway,
        "namespace": target.gateway_namespace,
    }
    return {**parent, "sectionName": target.listener} if target.listener else parent


def _prefix_headers(path: str, removed: tuple[str, ...]) -> dict[str, Any]:
    """The endpoint sees the full path, and in headers the prefix that was used: the version's or the alias's."""
    values = [{"name": name, "value": path} for name in (labels.VH_PREFIX, labels.FORWARDED_PREFIX)]
    modifier: dict[str, Any] = {"set": values, **({"remove": list(removed)} if removed else {})}
    return {"type": "RequestHeaderModifier", "requestHeaderModifier": modifier}


def duration(seconds: float) -> str:
    """Gateway API's Duration: `60s`, `1s500ms`; hours only where the seconds alone would need too many digits."""
    whole, thousandths = divmod(max(round(seconds * 1000), 1), 1000)
    hours, rest = divmod(whole, 3600) if whole > _MOST_SECONDS else (0, whole)
    parts = ((hours, "h"), (rest, "s"), (thousandths, "ms"))
    return "".join(f"{amount}{unit}" for amount, unit in parts if amount)

"""How each class of gateways asks for a password. A class that is not known gets no route at all: nothing is served open."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from controller.model.declared import USERS_KEY, Deployment
from controller.model.desired import RouteGuard
from controller.model.errors import Stalled
from controller.model.identity import ObjectKey
from controller.model.objects import Object
from controller.model.secret import Secret
from controller.render.names import users_name
from controller.render.scope import Scope
from controller.render.users import clean_users

EMBEDDED_CLASS = "pointsman.dev/embedded"
TRAEFIK_CLASS = "traefik.io/gateway-controller"
ENVOY_CLASS = "gateway.envoyproxy.io/gatewayclass-controller"

_TRAEFIK_HASHES = ("{SHA}", "$apr1$", "$2a$", "$2b$", "$2y$")
_ENVOY_HASHES = ("{SHA}",)


@dataclass(frozen=True, slots=True)
class Guard:
    """What one deployment's `access` becomes.

    `filters` come first in every rule, `objects` before every route; `keys` are those without which no route may be,
    also where their content is not known. `removed` are request headers that an endpoint must not see.
    """

    filters: tuple[dict[str, Any], ...] = ()
    objects: tuple[Object, ...] = ()
    keys: tuple[ObjectKey, ...] = ()
    removed: tuple[str, ...] = ()
    policy: Callable[[str, Mapping[str, str]], Object] | None = None
    """Makes what has to name the route that it guards, from that route's name and annotations."""

    def of_any_route(self) -> RouteGuard | None:
        """The guard for routes that are not rendered; None where there is none."""
        policy = self.policy("", {}) if self.policy else None
        return RouteGuard(self.filters, self.removed, policy) if self.filters or policy else None


def guard(scope: Scope, served_by: Deployment, users: Secret | None) -> Guard:
    """The guard of a deployment. `users` is the text of the gateway's copy, None where it is not known.

    Raises Stalled for open access where the target forbids it, for a class that cannot ask for passwords, and for
    passwords that the class cannot check.
    """
    if served_by.basic_auth is None:
        _refuse_open(scope, served_by)
        return Guard()
    if adapter := _ADAPTERS.get(scope.target.gateway_class):
        return adapter(scope, served_by.basic_auth, users)
    raise Stalled(
        f"deployment {served_by.name}: access.basicAuth cannot be had from gateway class {scope.target.gateway_class!r}"
        f" of target {scope.target.name!r}; nothing is served open instead",
        hint=f"{served_by.location}: remove `access`, or choose another `target`",
    )


def users_key(scope: Scope) -> ObjectKey:
    """The Secret that is the gateway's copy of the users."""
    return scope.key("Secret", users_name(scope.unit))


def _refuse_open(scope: Scope, served_by: Deployment) -> None:
    if not scope.target.open_access:
        raise Stalled(
            f"deployment {served_by.name}: target {scope.target.name!r} allows no deployment without `access`",
            hint=f"{served_by.location}: add `access: {{basicAuth: {{secret: NAME}}}}`, or choose another `target`",
        )


def _embedded(_scope: Scope, declared: str, _users: Secret | None) -> Guard:
    """Our own gateway reads the declared Secret itself, and knows its probe user."""
    return Guard(filters=(_reference("pointsman.dev", "BasicAuth", declared),))


def _traefik(scope: Scope, declared: str, users: Secret | None) -> Guard:
    """A Middleware, which a rule names as its first filter (doc.traefik.io, "BasicAuth"): the Secret has exactly one key."""
    name = users_name(scope.unit)
    spec = {"basicAuth": {"removeHeader": True, "secret": name}}
    middleware = scope.object("Middleware", name, {"spec": spec})
    return Guard(
        filters=(_reference("traefik.io", "Middleware", name),),
        objects=(_copy(scope, declared, users, _TRAEFIK_HASHES), middleware) if users else (),
        keys=(users_key(scope), scope.key("Middleware", name)),
    )


def _envoy(scope: Scope, declared: str, users: Secret | None) -> Guard:
    """A SecurityPolicy for each route (gateway.envoyproxy.io, "Basic Authentication"): its rule cannot name it."""
    name = users_name(scope.unit)

    def policy(route: str, annotations: Mapping[str, str]) -> Object:
        target = {"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "name": route}
        spec = {"basicAuth": {"users": {"group": "", "kind": "Secret", "name": name}}, "targetRefs": [target]}
        return scope.object("SecurityPolicy", route, {"spec": spec}, annotations=annotations)

    return Guard(
        objects=(_copy(scope, declared, users, _ENVOY_HASHES),) if users else (),
        keys=(users_key(scope),),
        removed=("Authorization",),
        policy=policy,
    )


def _copy(scope: Scope, declared: str, users: Secret, hashes: tuple[str, ...]) -> Object:
    text = clean_users(users.reveal(), hashes, where=f"Secret {declared}", gateway=scope.target.gateway_class)
    data = {USERS_KEY: base64.b64encode(text.encode()).decode()}
    return scope.object("Secret", users_name(scope.unit), {"data": data, "type": "Opaque"})


def _reference(group: str, kind: str, name: str) -> dict[str, Any]:
    return {"type": "ExtensionRef", "extensionRef": {"group": group, "kind": kind, "name": name}}


_ADAPTERS: Mapping[str, Callable[[Scope, str, Secret | None], Guard]] = {
    EMBEDDED_CLASS: _embedded,
    TRAEFIK_CLASS: _traefik,
    ENVOY_CLASS: _envoy,
}

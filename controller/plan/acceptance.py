"""Why a gateway does not take in a route, with what to do about it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from controller.model.conditions import Health
from controller.model.objects import Object, at
from controller.plan.view import View

ANSWER_TIME = 60.0
"""Seconds within which a gateway says something of a new route; until then its silence means nothing."""


def refusal(view: View, route: Object) -> str | None:
    """What the gateway says against a route, or that there is no such Gateway; None where it may still say yes."""
    said = view.acceptance(route)
    if said.health is Health.HEALTHY:
        return None
    if view.observed.gateway == {}:
        return f"{_gateway(view)} does not exist: make it, or name another one in the target's configuration"
    if said.health is not Health.DEGRADED:
        return None
    reason = said.message.partition(":")[0]
    remedy = _remedy(view, reason)
    return f"{said.message} ({remedy})" if remedy else said.message


def silence(view: View, route: Object) -> str:
    """What there is to say while nothing speaks against a route that is not accepted."""
    return view.acceptance(route).message


def made_at(route: Object) -> float | None:
    """When the route was made, in epoch seconds, as far as it says so."""
    try:
        return datetime.fromisoformat(str(at(route, "metadata", "creationTimestamp"))).timestamp()
    except ValueError:
        return None


def _gateway(view: View) -> str:
    target = view.desired.target
    return f"Gateway {target.gateway_namespace}/{target.gateway}" if target else "the Gateway"


def _remedy(view: View, reason: str) -> str | None:
    """Words for the reasons of Gateway API's RouteConditionReason that a person can do something about."""
    target, namespace = view.desired.target, view.desired.namespace
    if reason == "NotAllowedByListeners":
        labels = " ".join(_wanted_labels(view))
        how = f"kubectl label namespace {namespace} {labels}" if labels else "see its listeners' `allowedRoutes`"
        return f"{_gateway(view)} does not allow routes from namespace {namespace}: {how}"
    if reason == "NoMatchingListenerHostname":
        names = ", ".join(target.hostnames) if target and target.hostnames else "every host"
        return f"no listener of {_gateway(view)} answers for {names}: change the target's `hostnames`, or the listener"
    if reason == "NoMatchingParent":
        listener = target.listener if target else None
        return f"{_gateway(view)} has no listener {listener}: change the target's `listener`" if listener else None
    return None


def _wanted_labels(view: View) -> Iterator[str]:
    """The labels by which the Gateway's listeners choose namespaces, where it is known."""
    wanted: dict[str, str] = {}
    for listener in at(view.observed.gateway or {}, "spec", "listeners", default=()):
        if view.desired.target and view.desired.target.listener in (None, listener.get("name")):
            wanted |= at(listener, "allowedRoutes", "namespaces", "selector", "matchLabels", default={})
    return (f"{name}={value}" for name, value in sorted(wanted.items()))

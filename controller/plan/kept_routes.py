"""Routes that nothing declares any more and that stay all the same, as access asks of them what it asks of all others.

A mistake, a person or a clock may keep them: nothing of them changes then but who may use them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from controller.model import labels
from controller.model.desired import RouteGuard
from controller.model.identity import ObjectKey
from controller.model.objects import Object, annotation, at, put
from controller.plan.compare import stripped
from controller.plan.switch import Switch
from controller.plan.view import View

_SAID = (labels.ENDPOINT, labels.PATH)


def unguarded(view: View, switches: Mapping[str, Switch], covered: Collection[ObjectKey]) -> Iterator[tuple[Object, Object]]:
    """The routes that still let everybody in, each with what it is to be; `covered` are those that are declared."""
    guard = view.desired.route_guard
    going = {id(switch.current[endpoint]) for switch in switches.values() for endpoint in switch.drops}
    for key, route in sorted(view.owned.items()) if guard else ():
        if guard and key.kind == "HTTPRoute" and key not in covered and id(route) not in going:
            wanted = _guarded(route, guard)
            if at(wanted, "spec") != at(route, "spec"):
                yield route, wanted


def missing_policies(view: View, covered: Collection[ObjectKey]) -> Iterator[Object]:
    """What has to name such a route, where the gateway's class wants that, and is not there."""
    policy = view.desired.route_guard.policy if view.desired.route_guard else None
    for key, route in sorted(view.owned.items()) if policy else ():
        if policy and key.kind == "HTTPRoute" and key not in covered and view.key(policy["kind"], key.name) not in view.owned:
            yield _policy_of(route, policy)


def _guarded(route: Object, guard: RouteGuard) -> dict[str, Any]:
    rule = at(route, "spec", "rules", 0, default={})
    others = [_without(f, guard.removed) for f in rule.get("filters") or () if f["type"] != "ExtensionRef"]
    return put(stripped(route), [{**rule, "filters": [*guard.filters, *others]}], "spec", "rules")


def _without(item: Object, removed: tuple[str, ...]) -> Object:
    """The filter that also takes these headers off requests, if that is what it does."""
    return put(item, list(removed), "requestHeaderModifier", "remove") if removed and "requestHeaderModifier" in item else item


def _policy_of(route: Object, policy: Object) -> dict[str, Any]:
    name = route["metadata"]["name"]
    owner = labels.ALIAS if annotation(route, labels.ALIAS) else labels.VERSION
    said = {label: text for label in (owner, *_SAID) if (text := annotation(route, label))}
    named = put(put(policy, name, "metadata", "name"), {**policy["metadata"]["annotations"], **said}, "metadata", "annotations")
    return put(named, [{**target, "name": name} for target in at(policy, "spec", "targetRefs")], "spec", "targetRefs")

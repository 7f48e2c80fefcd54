"""Each desired object at this moment, compared with the target: sizes and backends filled in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from controller.model import labels
from controller.model.changes import Change, Operation
from controller.model.desired import Route, Workload
from controller.model.identity import ObjectKey
from controller.model.images import Image
from controller.model.objects import Object, annotation, key_of, put
from controller.model.routes import backend_of, version_of, with_backend
from controller.plan.compare import compare, marked, stripped
from controller.plan.gates import missing_inputs
from controller.plan.guard import is_guarded
from controller.plan.kept_routes import missing_policies, unguarded
from controller.plan.sizes import owns_replicas, size_of
from controller.plan.switch import Switch
from controller.plan.version_routes import VersionRoute
from controller.plan.view import View


def desired_items(view: View, switches: Mapping[str, Switch], routes: Iterable[VersionRoute]) -> Iterator[Change]:
    """Every desired object as a change, `UNCHANGED` ones included; the aliases' routes last, back to back."""
    yield from _objects(view, switches)
    declared = [*_version_routes(view, routes), *_alias_routes(view, switches)]
    yield from _kept_routes(view, switches, frozenset(item.key for item in declared))
    yield from declared


def _objects(view: View, switches: Mapping[str, Switch]) -> Iterator[Change]:
    revision = str(view.desired.revision)
    for obj in view.desired.shared:
        found = view.observed.objects.get(key_of(obj))
        if not (obj["kind"] == "Namespace" and found):
            yield _compare(view, marked(obj, revision), found, "the unit's own")
    for _, workload in sorted(view.desired.workloads.items()):
        exists = view.deployment(workload.name) is not None
        buildable = isinstance(workload.image, Image) and not any(missing_inputs(view, workload))
        if buildable:
            for obj in _sized(view, workload, switches):
                found = view.observed.objects.get(key_of(obj))
                yield _compare(view, marked(obj, revision), found, f"{workload.version}/{workload.endpoint}")
        elif exists:
            yield from _unchanged(view, workload.name)


def _sized(view: View, workload: Workload, switches: Mapping[str, Switch]) -> Iterator[Object]:
    size = size_of(view, workload, switches)
    scale = f"{workload.scale.min}"
    deployment = put(workload.deployment, scale, "metadata", "annotations", labels.SCALE)
    replicas = _not_given_up(view, workload, size.minimum) if size.replicas is None else size.replicas
    yield deployment if replicas is None else put(deployment, replicas, "spec", "replicas")
    yield workload.service
    if size.guarded and workload.disruption:
        yield workload.disruption
    if size.replicas is None and workload.autoscaler:
        bounded = put(workload.autoscaler, size.minimum, "spec", "minReplicas")
        yield put(bounded, workload.scale.max, "spec", "maxReplicas")


def _not_given_up(view: View, workload: Workload, minimum: int) -> int | None:
    """The number that is still ours when an autoscaler takes over, until it has written its own.

    The API server fills in 1 for a number that its only owner omits, while requests come in
    (kubernetes.io, "Server-Side Apply", transferring ownership).
    """
    found = view.deployment(workload.name)
    if found is None or not owns_replicas(found):
        return None
    return max(view.replicas(workload.name), minimum)


def _unchanged(view: View, name: str) -> Iterator[Change]:
    """What already runs stays as it is while an input of its declaration is missing."""
    for kind in ("Deployment", "Service", "PodDisruptionBudget", "HorizontalPodAutoscaler"):
        if view.key(kind, name) in view.owned:
            yield Change(Operation.UNCHANGED, view.key(kind, name), "")


def _version_routes(view: View, routes: Iterable[VersionRoute]) -> Iterator[Change]:
    for item in routes:
        if item.backend is None:
            continue
        wanted = with_backend(item.route.template, item.backend, item.workload.version)
        reason = f"{item.workload.version}/{item.workload.endpoint} → {item.backend}"
        found = view.observed.objects.get(item.route.key)
        yield from _guarded(view, item.route.policy, _compare(view, marked(wanted, str(view.desired.revision)), found, reason))


def _alias_routes(view: View, switches: Mapping[str, Switch]) -> Iterator[Change]:
    """All routes of an alias back to back; one that does not move keeps its backend but follows its template."""
    for _, switch in sorted(switches.items()):
        for endpoint in sorted({*switch.current, *switch.alias.routes}):
            workload = switch.target.get(endpoint)
            route = switch.alias.routes.get(endpoint)
            if switch.moves and workload:
                change = _to(view, switch, endpoint, workload.name, switch.version)
            elif endpoint in switch.current and not switch.moves and route:
                found = switch.current[endpoint]
                change = _to(view, switch, endpoint, switch.old(endpoint) or "", annotation(found, labels.VERSION) or "")
            else:
                change = None
            if change:
                yield from _guarded(view, route.policy if route else None, change)


def _kept_routes(view: View, switches: Mapping[str, Switch], declared: frozenset[ObjectKey]) -> Iterator[Change]:
    """What nothing declares and stays asks for passwords, too; nothing else of it changes."""
    if not is_guarded(view):
        return
    revision = str(view.desired.revision)
    for policy in missing_policies(view, declared):
        found = view.observed.objects.get(key_of(policy))
        yield _compare(view, marked(policy, revision), found, f"guards {policy['metadata']['name']}")
    for route, wanted in unguarded(view, switches, declared):
        yield _compare(view, marked(wanted, revision), route, "asks for a password", guarded=True)


def _guarded(view: View, policy: Object | None, change: Change) -> Iterator[Change]:
    """A route behind the policy that guards it; without the unit's guards it stays as it is, or away."""
    if not is_guarded(view):
        if change.operation in (Operation.UPDATE, Operation.UNCHANGED):
            yield Change(Operation.UNCHANGED, change.key, change.reason)
        return
    if policy:
        found = view.observed.objects.get(key_of(policy))
        yield _compare(view, marked(policy, str(view.desired.revision)), found, f"guards {change.key.name}")
    yield change


def _to(view: View, switch: Switch, endpoint: str, workload: str, version: str) -> Change | None:
    found = switch.current.get(endpoint)
    template = _template(switch.alias.routes.get(endpoint), found)
    if template is None:
        return None
    wanted = with_backend(template, workload, version, pinned=switch.pinned)
    words = _moved(found, workload, version)
    live = found or view.observed.objects.get(key_of(wanted))
    reason = f"{switch.alias.name}/{endpoint}{words}"
    return _compare(view, marked(wanted, str(view.desired.revision)), live, reason, guarded=True)


def _moved(found: Object | None, workload: str, version: str) -> str:
    """What an alias's route does: the fields that follow tell the rest."""
    old = version_of(found)
    if old is None:
        return f" → {version}"
    if old != version:
        return f": {old} → {version}"
    return f": {version} with new settings" if backend_of(found) != workload else f": still {version}"


def _template(route: Route | None, found: Object | None) -> Object | None:
    """The declared template; for an endpoint that only the pinned or older version has, the route as it is."""
    if route:
        return route.template
    if found is None:
        return None
    rule = found["spec"]["rules"][0]
    filters = [f for f in rule["filters"] if f["type"] != "ResponseHeaderModifier"]
    return put(stripped(found), [{**rule, "filters": filters}], "spec", "rules")


def _compare(view: View, wanted: Object, found: Object | None, reason: str, *, guarded: bool = False) -> Change:
    if found is not None and wanted["kind"] != "Namespace" and not view.owns(found):
        owner = annotation(found, labels.UNIT_NAME) or "somebody else"
        return Change(Operation.CONFLICT, key_of(wanted), f"belongs to {owner}")
    if view.is_left_alone(found):
        return Change(Operation.UNCHANGED, key_of(wanted), reason)
    return compare(wanted, found, reason=reason, guarded=guarded)

"""What may go: never what serves, only what the inventory knows, and only as much at once as nobody could regret."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from controller.model import labels
from controller.model.changes import Change, Gate, Hold, Operation
from controller.model.diagnostics import Subject
from controller.model.identity import ObjectKey
from controller.model.objects import Object, annotation, at, key_of
from controller.model.record import Fact, FactKind
from controller.model.routes import backend_of
from controller.plan.compare import compare
from controller.plan.fact_names import route_subject
from controller.plan.guard import GUARD_KINDS, unguard
from controller.plan.recreate import forced_replicas
from controller.plan.removal import removal_reason
from controller.plan.sizes import kept_scale, resized
from controller.plan.standing import Phase, Standing, leads_version_url, standing
from controller.plan.switch import Switch
from controller.plan.view import View

MOST_VERSIONS_AT_ONCE = 3
_DELETE_ORDER = (
    "HTTPRoute",
    "SecurityPolicy",
    "Middleware",
    "Secret",
    "HorizontalPodAutoscaler",
    "PodDisruptionBudget",
    "Service",
    "Deployment",
    "ServiceAccount",
)
_OF_WORKLOADS = ("HorizontalPodAutoscaler", "PodDisruptionBudget", "Service")
"""Kinds that have the name of the Deployment they belong to."""


@dataclass(frozen=True, slots=True)
class Retirement:
    """Deletes in order, resizes of what stays warm, and why the rest stays."""

    changes: tuple[Change, ...] = ()
    gates: tuple[Gate, ...] = ()
    holds: tuple[Hold, ...] = ()
    facts: tuple[Fact, ...] = ()
    warnings: tuple[str, ...] = ()


def retire(view: View, switches: Mapping[str, Switch], applied: frozenset[ObjectKey]) -> Retirement:
    """Everything of this unit on the target that is not desired (`applied` are the keys that are)."""
    if gate := _moving(view):
        return Retirement(gates=(gate,))
    if hold := _gone_hold(view):
        return Retirement(holds=(hold,))
    holds, dropped_aliases = _aliases(view)
    stays, gates, changes = _workloads(view, switches)
    leaving = {n for n in view.workloads if n not in stays and n not in view.desired_names}
    held_versions, hold = _too_many(view, leaving)
    leaving = {n for n in leaving if view.version_of(n) not in held_versions} | _left_behind(view)
    dropped = {key_of(s.current[e]) for s in switches.values() for e in s.drops}
    guards = unguard(view)
    going = {k for k in view.owned if k in dropped or k in guards.free or _goes(view, k, applied, leaving, dropped_aliases)}
    going |= {k for k in view.owned if k.kind == "SecurityPolicy" and _is_useless(view, k, applied, going)}
    kept = {k: name for k in going if (name := _kept_by(view.owned[k]))}
    keys = [k for k in view.owned if k in going and k not in kept]
    every_hold = (*holds, *([hold] if hold else []))
    if view.desired.rewritten and (removals := [key for key in keys if key.name not in view.desired_names]):
        every_hold = (*every_hold, _rewritten(view, len(removals)))
        keys = [key for key in keys if key not in removals]
    known = [key for key in keys if key in view.record.inventory]
    unknown = tuple(f"{key} is not in the inventory of {view.desired.unit} and stays" for key in keys if key not in known)
    known.sort(key=lambda key: (_DELETE_ORDER.index(key.kind), key))
    deletes = tuple(_delete(view, key) for key in known)
    stay = tuple(f"{key} is no longer declared and stays: {name} is disabled on it" for key, name in sorted(kept.items()))
    facts = (*_left(view, known), *guards.facts)
    return Retirement((*changes, *deletes), (*gates, *guards.gates), every_hold, facts, (*unknown, *stay))


def _aliases(view: View) -> tuple[list[Hold], frozenset[str]]:
    """Aliases that are served but no longer declared: held for a person, or free to go."""
    holds, free = [], set()
    for alias, routes in sorted(view.alias_routes.items()):
        if alias in view.desired.aliases or view.is_held(view.alias_subject(alias)):
            continue
        if view.desired.gone or view.desired.released(alias_file(view, alias)):
            free.add(alias)
            continue
        backends = sorted({view.version_of(backend_of(r) or "") for r in routes.values()} - {""})
        text = f"alias {alias} disappeared from git; it still leads to {', '.join(backends) or 'its workload'}"
        hint = f"pointsman allow-prune {view.desired.unit.deployment}"
        holds.append(Hold(view.alias_subject(alias), "AliasRemoved", text, hint))
    return holds, frozenset(free)


def alias_file(view: View, alias: str) -> str:
    """The path of an alias's file in the repository."""
    return f"{view.desired.directory}/deployments/{view.desired.unit.deployment}/aliases/{alias}.yaml"


def _workloads(view: View, switches: Mapping[str, Switch]) -> tuple[set[str], tuple[Gate, ...], list[Change]]:
    stays: set[str] = set()
    gates: list[Gate] = []
    changes: list[Change] = []
    for name, observed in sorted(view.workloads.items()):
        where = standing(view, name)
        gates += _clock(view, name, where)
        if name in view.desired_names or not _stays(view, name, where):
            continue
        stays.add(name)
        wanted = _kept_size(view, name, observed, where, switches)
        if wanted is not None and wanted != at(observed, "spec", "replicas") and not view.is_left_alone(observed):
            changes.append(compare(resized(observed, wanted), observed, reason=f"{view.version_of(name)} to {wanted} replicas"))
    return stays, tuple(gates), changes


def _stays(view: View, name: str, where: Standing) -> bool:
    """Whether a workload that git does not declare is still needed: a clock runs, a mistake holds it, or a URL leads to it."""
    held = view.is_held(Subject("version", view.version_of(name)))
    return where.phase is not Phase.DONE or held or leads_version_url(view, name)


def _clock(view: View, name: str, where: Standing) -> list[Gate]:
    words = {Phase.DRAINING: ("Draining", "finishes its requests"), Phase.WARM: ("KeepWarm", "is kept warm")}
    if where.phase not in words:
        return []
    reason, text = words[where.phase]
    return [Gate(Subject("workload", name), reason, f"{view.version_of(name)}: {name} {text}", where.until, clock=True)]


def _left_behind(view: View) -> set[str]:
    """Workloads that are gone but for what somebody kept then, and that no route leads to."""
    led_to = {backend_of(obj) for key, obj in view.owned.items() if key.kind == "HTTPRoute"}
    known = {*view.workloads, *view.desired_names, *filter(None, led_to)}
    left = {k.name: obj for k, obj in view.owned.items() if k.kind in _OF_WORKLOADS and k.name not in known}
    return {name for name, obj in left.items() if not view.is_held(Subject("version", annotation(obj, labels.VERSION) or ""))}


def _kept_size(view: View, name: str, observed: Object, where: Standing, switches: Mapping[str, Switch]) -> int | None:
    """The replicas of a workload that git no longer declares, where they must differ from what it has."""
    current = at(observed, "spec", "replicas")
    forced = forced_replicas(view, name, switches)
    if current is None or forced is not None:
        return forced
    if where.phase is Phase.SERVING:
        return max(int(current), kept_scale(observed))
    scaled = view.key("HorizontalPodAutoscaler", name) in view.owned
    return kept_scale(observed) if where.phase is Phase.WARM and not scaled else None


def _too_many(view: View, leaving: set[str]) -> tuple[frozenset[str], Hold | None]:
    """The brake on mass deletion; versions that an alias has just left do not count."""
    declared = {version for version, _ in view.desired.workloads}
    counted = {
        view.version_of(name)
        for name in leaving
        if view.version_of(name) not in declared and not standing(view, name).left_alias
    }
    deployment = view.desired.unit.deployment
    if view.desired.gone:
        return frozenset(), None
    unreleased = {v for v in counted if not view.desired.released(f"{view.desired.directory}/versions/{v}.yaml")}
    running = {view.version_of(name) for name in view.workloads}
    if len(unreleased) <= MOST_VERSIONS_AT_ONCE and len(unreleased) * 2 <= len(running):
        return frozenset(), None
    text = f"{len(unreleased)} of {len(running)} running versions would go at once: {', '.join(sorted(unreleased))}"
    hold = Hold(Subject("deployment", deployment), "TooManyRemovals", text, f"pointsman allow-prune {deployment}")
    return frozenset(unreleased), hold


def _moving(view: View) -> Gate | None:
    """A deployment that moves to another target serves here until it is Ready there."""
    if view.desired.moved is None or view.desired.moved_ready or not view.owned:
        return None
    deployment = view.desired.unit.deployment
    text = f"{deployment} moves to target {view.desired.moved}; everything stays here until it is Ready there"
    return Gate(Subject("deployment", deployment), "MovingToTarget", text)


def _gone_hold(view: View) -> Hold | None:
    deployment = view.desired.unit.deployment
    path = f"{view.desired.directory}/deployments/{deployment}/deployment.yaml"
    if not view.desired.gone or view.desired.moved or not view.owned or view.desired.released(path):
        return None
    text = f"deployment {deployment} disappeared from git; {len(view.workloads)} workloads still run"
    return Hold(Subject("deployment", deployment), "DeploymentRemoved", text, f"pointsman allow-prune {deployment}")


def _goes(view: View, key: ObjectKey, applied: frozenset[ObjectKey], leaving: set[str], aliases: frozenset[str]) -> bool:
    obj = view.owned[key]
    if key in applied or key.kind not in _DELETE_ORDER or key.kind in ("SecurityPolicy", *GUARD_KINDS):
        return False
    if key.kind == "HTTPRoute":
        alias = annotation(obj, labels.ALIAS)
        return alias in aliases if alias else _version_route_goes(view, obj, leaving)
    if key.kind == "ServiceAccount":
        return view.desired.gone and set(view.workloads) <= leaving
    if key.kind in ("HorizontalPodAutoscaler", "PodDisruptionBudget"):
        return key.name in leaving or key.name in view.desired_names
    return key.name in leaving


def _is_useless(view: View, policy: ObjectKey, applied: frozenset[ObjectKey], going: set[ObjectKey]) -> bool:
    """Whether the route that a policy guards goes or is gone, or needs no password any more."""
    route = view.key("HTTPRoute", policy.name)
    return policy not in applied and (not view.desired.guards or route in going or route not in view.owned)


def _kept_by(obj: Object) -> str | None:
    """The annotation by which a person keeps an object."""
    return next((name for name in (labels.PRUNE, labels.RECONCILE) if annotation(obj, name) == labels.DISABLED), None)


def _version_route_goes(view: View, route: Object, leaving: set[str]) -> bool:
    key = (annotation(route, labels.VERSION) or "", annotation(route, labels.ENDPOINT) or "")
    backend = backend_of(route)
    return key not in view.desired.version_routes and (backend in leaving or backend not in view.workloads)


def _delete(view: View, key: ObjectKey) -> Change:
    meta, reason = view.owned[key]["metadata"], removal_reason(view, key)
    return Change(Operation.DELETE, key, reason, uid=meta.get("uid"), resource_version=meta.get("resourceVersion"))


def _left(view: View, keys: list[ObjectKey]) -> tuple[Fact, ...]:
    """What a removed alias led to is kept warm like what a moved one left."""
    facts = []
    for key in keys:
        obj = view.owned[key]
        alias, backend = annotation(obj, labels.ALIAS), backend_of(obj)
        if key.kind == "HTTPRoute" and alias and backend:
            facts.append(view.new_fact(FactKind.LEFT, route_subject(alias, annotation(obj, labels.ENDPOINT) or ""), backend))
    return tuple(facts)


def _rewritten(view: View, count: int) -> Hold:
    deployment = view.desired.unit.deployment
    text = f"history was rewritten since {view.record.applied}: {count} removals wait, everything else proceeds"
    return Hold(Subject("deployment", deployment), "HistoryRewritten", text, f"pointsman allow-prune {deployment}")

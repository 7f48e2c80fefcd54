"""How one unit is, from what was seen and what git wants: the data of `status`. Pure: the moment is an argument."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from controller.cli.arrival import NOT_ARRIVED, Arrival, arrival
from controller.cli.version_status import VersionStatus, version_statuses
from controller.cli.workload_status import EndpointStatus, Seen, endpoint_status
from controller.engine.planning import PlannedUnit
from controller.health.aggregate import worst
from controller.model import labels
from controller.model.changes import Gate, Hold, Plan
from controller.model.conditions import Assessment, Condition, Health
from controller.model.declared import DeclaredState
from controller.model.diagnostics import Subject
from controller.model.identity import UnitKey
from controller.model.objects import annotation
from controller.model.record import FactKind, UnitRecord
from controller.model.routes import backend_of
from controller.plan.planner import UNIT


@dataclass(frozen=True, slots=True)
class AliasStatus:
    """`version` is where its URLs lead now, `wants` what git says (None: not declared, held, or git was not read).

    `state` is serving, switching, waiting (it serves nothing yet), failed, held or missing. `settled` says whether
    everything that git wants of it is so (None where git was not read).
    """

    name: str
    version: str | None
    wants: str | None
    pinned: str | None
    state: str
    settled: bool | None
    messages: tuple[str, ...] = ()
    endpoints: tuple[EndpointStatus, ...] = ()
    arrival: Arrival = NOT_ARRIVED


@dataclass(frozen=True, slots=True)
class UnitStatus:
    """`settled` is None where git could not be read: then only the record's own conditions say how it goes."""

    unit: UnitKey
    health: Assessment
    attempted: str
    applied: str
    settled: bool | None
    conditions: tuple[Condition, ...] = ()
    aliases: tuple[AliasStatus, ...] = ()
    versions: tuple[VersionStatus, ...] = ()
    gates: tuple[Gate, ...] = ()
    holds: tuple[Hold, ...] = ()
    failures: tuple[Gate, ...] = ()
    warnings: tuple[str, ...] = ()
    target: str = "embedded"


def unit_status(seen: Seen, declared: DeclaredState | None, planned: PlannedUnit | None, *, running: bool) -> UnitStatus:
    """Everything that is known of a unit. `running` says whether a controller looks after it."""
    plan = planned.plan if planned else None
    status = UnitStatus(
        unit=seen.unit,
        health=Assessment(Health.UNKNOWN),
        attempted=seen.record.attempted,
        applied=seen.record.applied,
        settled=plan.is_settled if plan else None,
        conditions=seen.record.conditions,
        aliases=tuple(_alias(seen, name, declared, plan) for name in _alias_names(seen, declared)),
        versions=version_statuses(seen, declared, planned.desired if planned else None, plan),
    )
    if plan:
        status = replace(status, gates=plan.gates, holds=plan.holds, failures=plan.failures, warnings=plan.warnings)
    health = _health(status, seen.record, running=running)
    if health.health is Health.HEALTHY and _left_git(seen.unit, declared):
        health = _leaving(status)
    return replace(status, health=health)


def only_alias(status: UnitStatus, alias: str) -> UnitStatus:
    """The part of a status that is about one alias and what it leads to or waits for, and what the whole unit waits for."""
    kept = tuple(found for found in status.aliases if found.name == alias)
    names = {name for found in kept for name in (found.version, found.wants, found.pinned)}
    subject = Subject("alias", f"{status.unit.deployment}/{alias}")
    gates = tuple(gate for gate in status.gates if gate.subject in (subject, UNIT))
    is_settled = bool(kept) and all(found.settled for found in kept) and all(gate.clock for gate in gates)
    return replace(
        status,
        settled=None if status.settled is None else is_settled,
        aliases=kept,
        versions=tuple(version for version in status.versions if version.name in names),
        gates=gates,
        holds=tuple(hold for hold in status.holds if _reaches(hold.subject, subject)),
        failures=tuple(failure for failure in status.failures if failure.subject == subject),
    )


def _reaches(subject: Subject, alias: Subject) -> bool:
    """Whether what is about `subject` holds the alias too: itself, its deployment, or the project."""
    return subject == alias or subject.kind == "project" or subject.name == alias.name.split("/")[0]


def _alias_names(seen: Seen, declared: DeclaredState | None) -> Iterable[str]:
    deployment = declared.deployments.get(seen.unit.deployment) if declared else None
    held = [s.name.partition("/") for s in declared.held if s.kind == "alias"] if declared else []
    own = {name for owner, _, name in held if owner == seen.unit.deployment}
    return sorted({*seen.alias_routes, *(deployment.aliases if deployment else ()), *own})


def _alias(seen: Seen, name: str, declared: DeclaredState | None, plan: Plan | None) -> AliasStatus:
    deployment = declared.deployments.get(seen.unit.deployment) if declared else None
    found = deployment.aliases.get(name) if deployment else None
    pin = seen.record.fact(FactKind.PINNED, name)
    routes = seen.alias_routes.get(name, {})
    versions = sorted({annotation(route, labels.VERSION) or "" for route in routes.values()} - {""})
    state, messages = _state(Subject("alias", f"{seen.unit.deployment}/{name}"), plan, served=bool(versions))
    return AliasStatus(
        name=name,
        version=", ".join(versions) or None,
        wants=found.version if found else None,
        pinned=pin.input if pin and (found is None or pin.detail in ("", found.version)) else None,
        state=state,
        settled=None if plan is None else not messages and not _moves(plan, name),
        messages=messages,
        endpoints=tuple(
            endpoint_status(seen, endpoint, backend_of(route), annotation(route, labels.PATH))
            for endpoint, route in sorted(routes.items())
        ),
        arrival=_arrival(seen, name, declared),
    )


def _arrival(seen: Seen, alias: str, declared: DeclaredState | None) -> Arrival:
    deployment = declared.deployments.get(seen.unit.deployment) if declared else None
    found = deployment.aliases.get(alias) if deployment else None
    served = deployment.versions.get(found.version) if deployment and found else None
    running = {annotation(obj, labels.VERSION) or "" for obj in seen.deployments.values()}
    others = {*_alias_names(seen, declared), *running, *(declared.versions if declared else ())} - {alias, ""}
    return arrival(seen, alias, found.version if found else None, served.version.endpoints if served else {}, others)


def _moves(plan: Plan, alias: str) -> bool:
    """Whether a route of the alias is still to be written, or the data plane to be asked."""
    written = (change.desired for change in plan.changes if change.desired is not None)
    asked = {check.subject for check in plan.confirms}
    return alias in asked or any(annotation(obj, labels.ALIAS) == alias for obj in written)


def _state(subject: Subject, plan: Plan | None, *, served: bool) -> tuple[str, tuple[str, ...]]:
    still = "serving" if served else "missing"
    if plan is None:
        return still, ()
    about: Mapping[str, tuple[str, ...]] = {
        "failed": tuple(f.message for f in plan.failures if f.subject == subject),
        "held": tuple(h.message for h in plan.holds if h.subject == subject),
        "switching" if served else "waiting": tuple(g.message for g in plan.gates if g.subject == subject and not g.clock),
    }
    messages = tuple(message for words in about.values() for message in words)
    return next((state for state, words in about.items() if words), still), messages


def _health(status: UnitStatus, record: UnitRecord, *, running: bool) -> Assessment:
    if not running:
        return Assessment(Health.UNKNOWN, "no controller runs; this is how it was left")
    if suspended := record.fact(FactKind.SUSPENDED, "unit"):
        return Assessment(Health.SUSPENDED, suspended.detail)
    if status.failures:
        return Assessment(Health.DEGRADED, status.failures[0].message)
    if status.holds:
        return Assessment(Health.SUSPENDED, f"held: {status.holds[0].message}")
    served = worst(Assessment(e.health, e.message) for alias in status.aliases for e in alias.endpoints)
    return served if served.health is not Health.HEALTHY else _progress(status)


def _left_git(unit: UnitKey, declared: DeclaredState | None) -> bool:
    """Whether what git says here has the project without this deployment; what a mistake holds is still in it."""
    if declared is None or (declared.owner, declared.project) != (unit.owner, unit.project):
        return False
    held = any(s.kind == "project" or (s.kind, s.name) == ("deployment", unit.deployment) for s in declared.held)
    return not held and unit.deployment not in declared.deployments


def _leaving(status: UnitStatus) -> Assessment:
    """Routes go first. While there are some, the controller may follow another branch than the one here."""
    words = "is to be removed" if any(alias.version for alias in status.aliases) else "is being removed"
    return Assessment(Health.PROGRESSING, f"git does not declare it here: it {words}")


def _progress(status: UnitStatus) -> Assessment:
    """How far a unit is in which everything that runs is well."""
    if status.settled is None:
        return _of_conditions(status.conditions)
    if status.settled:
        return Assessment(Health.HEALTHY)
    return Assessment(Health.PROGRESSING, next((gate.message for gate in status.gates if not gate.clock), ""))


def _of_conditions(conditions: Iterable[Condition]) -> Assessment:
    """The record's word alone, in Argo CD's terms (kstatus: Stalled before Reconciling before Ready)."""
    known = {condition.type: condition for condition in conditions}
    for kind, health in (("Stalled", Health.DEGRADED), ("Reconciling", Health.PROGRESSING)):
        if kind in known:
            return Assessment(health, known[kind].message)
    ready = known.get("Ready")
    return Assessment(Health.HEALTHY) if ready and ready.status == "True" else Assessment(Health.UNKNOWN)

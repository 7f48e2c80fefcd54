"""How each version of a unit is: what it serves, or how long it is kept, or why it does not run. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from controller.cli.workload_status import EndpointStatus, Seen, endpoint_status
from controller.model import labels
from controller.model.changes import Plan
from controller.model.conditions import Health
from controller.model.declared import DeclaredState
from controller.model.desired import DesiredState
from controller.model.diagnostics import Subject
from controller.model.objects import annotation
from controller.model.routes import backend_of
from controller.plan.standing import Phase, standing
from controller.plan.view import View

_PHASES = {Phase.LEAVING: "draining", Phase.DRAINING: "draining", Phase.WARM: "warm"}


@dataclass(frozen=True, slots=True)
class VersionStatus:
    """`state` is serving, draining, warm (both with `until`), waiting, failed, idle, held or disabled.

    `commit` is None where git was not read; a `provisional` one may still change: its file is not committed.
    """

    name: str
    commit: str | None
    provisional: bool
    enabled: bool
    state: str
    until: float | None
    aliases: tuple[str, ...]
    messages: tuple[str, ...]
    endpoints: tuple[EndpointStatus, ...]


def version_statuses(
    seen: Seen, declared: DeclaredState | None, desired: DesiredState | None, plan: Plan | None
) -> tuple[VersionStatus, ...]:
    """Every version that git names for this unit or that still runs, the newest name first."""
    view = View(desired, seen.observed, seen.record, seen.now) if desired else None
    names = sorted(_names(seen, declared), reverse=True)
    return tuple(_version(seen, name, declared, view, plan) for name in names)


def _names(seen: Seen, declared: DeclaredState | None) -> set[str]:
    running = {annotation(obj, labels.VERSION) or "" for obj in seen.deployments.values()}
    if declared is None:
        return running - {""}
    name = seen.unit.deployment
    meant = {v.name for v in declared.versions.values() if v.deployments is None or name in v.deployments}
    held = {subject.name for subject in declared.held if subject.kind == "version"}
    return (running | meant | held) - {""}


def _version(seen: Seen, name: str, declared: DeclaredState | None, view: View | None, plan: Plan | None) -> VersionStatus:
    source = declared.versions.get(name) if declared else None
    endpoints = tuple(_endpoints(seen, name, view))
    workloads = {endpoint.workload for endpoint in endpoints}
    serving = tuple(
        alias
        for alias, routes in sorted(seen.alias_routes.items())
        if workloads & {backend_of(route) for route in routes.values()}
    )
    failures, waits, holds = _words(name, endpoints, plan)
    enabled = source.enabled if source else True
    state, until = _state(view, workloads, serving=bool(serving), running=bool(workloads & seen.deployments.keys()))
    if state == "idle":
        state = _troubled(endpoints, failed=bool(failures), waits=bool(waits), held=bool(holds), enabled=enabled)
    return VersionStatus(
        name=name,
        commit=(source.commit or None) if source else None,
        provisional=bool(source and source.provisional and not source.committed),
        enabled=enabled,
        state=state,
        until=until,
        aliases=serving,
        messages=(*failures, *holds, *waits) or _own_words(endpoints),
        endpoints=endpoints,
    )


def _endpoints(seen: Seen, version: str, view: View | None) -> Iterator[EndpointStatus]:
    """By endpoint the workload that the version's URL leads to; else the one that runs; else the one that is wanted."""
    wanted = {e: w.name for (v, e), w in view.desired.workloads.items() if v == version} if view else {}
    running = {
        annotation(obj, labels.ENDPOINT) or "": name
        for name, obj in sorted(seen.deployments.items())
        if annotation(obj, labels.VERSION) == version
    }
    routes = seen.version_routes.get(version, {})
    for endpoint in sorted({*wanted, *running, *routes}):
        route = routes.get(endpoint)
        workload = backend_of(route) or running.get(endpoint) or wanted.get(endpoint)
        yield endpoint_status(seen, endpoint, workload, annotation(route, labels.PATH) if route else None)


def _state(view: View | None, workloads: Iterable[str | None], *, serving: bool, running: bool) -> tuple[str, float | None]:
    if serving or view is None:
        return ("serving" if serving else "idle"), None
    latest = max((standing(view, name) for name in workloads if name and running), default=None)
    if latest is None or latest.phase not in _PHASES:
        return "idle", None
    return _PHASES[latest.phase], latest.until or None


def _troubled(endpoints: Iterable[EndpointStatus], *, failed: bool, waits: bool, held: bool, enabled: bool) -> str:
    """What an unnamed version is, the worst first."""
    health = {endpoint.health for endpoint in endpoints}
    if failed or Health.DEGRADED in health:
        return "failed"
    if held and not health:
        return "held"
    if waits or health & {Health.PROGRESSING, Health.MISSING}:
        return "waiting" if enabled else "disabled"
    return "idle" if enabled else "disabled"


def _words(
    version: str, endpoints: Iterable[EndpointStatus], plan: Plan | None
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """(failures, waits, holds) of a plan that are about this version or a workload of it."""
    if plan is None:
        return (), (), ()
    workloads = {endpoint.workload for endpoint in endpoints}

    def concerns(subject: Subject) -> bool:
        if subject.kind == "workload":
            return subject.name in workloads
        return subject.kind == "version" and subject.name.partition("/")[0] == version

    return (
        tuple(failure.message for failure in plan.failures if concerns(failure.subject)),
        tuple(gate.message for gate in plan.gates if concerns(gate.subject) and not gate.clock),
        tuple(hold.message for hold in plan.holds if concerns(hold.subject)),
    )


def _own_words(endpoints: Iterable[EndpointStatus]) -> tuple[str, ...]:
    troubled = (e for e in endpoints if e.health is not Health.HEALTHY)
    return tuple(dict.fromkeys(e.message for e in troubled if e.message))

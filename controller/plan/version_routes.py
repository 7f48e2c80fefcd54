"""A version's own URL follows its newest settings once they serve, and goes back when they turn out to fail."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from controller.model.changes import Gate
from controller.model.desired import Route, Workload
from controller.model.diagnostics import Subject
from controller.model.record import Fact, FactKind
from controller.model.routes import backend_of
from controller.plan.acceptance import ANSWER_TIME, made_at, refusal, silence
from controller.plan.fact_names import switch_input, version_url
from controller.plan.gates import missing_inputs, needed, not_ready
from controller.plan.guard import guard_gate
from controller.plan.patience import given_up_gate, wait
from controller.plan.recreate import forced_replicas
from controller.plan.switch import Switch
from controller.plan.view import View


@dataclass(frozen=True, slots=True)
class VersionRoute:
    """Where a version's route leads after this pass; `backend` None means that it cannot exist yet."""

    route: Route
    workload: Workload
    old: str | None
    backend: str | None
    gates: tuple[Gate, ...] = ()
    failures: tuple[Gate, ...] = ()
    facts: tuple[Fact, ...] = ()

    @property
    def moves(self) -> bool:
        return self.old is not None and self.backend != self.old


def plan_version_route(view: View, route: Route, workload: Workload, switches: Mapping[str, Switch]) -> VersionRoute:
    """Judge one version URL: stay, move to the new settings, or go back to the old ones."""
    old = backend_of(view.version_routes.get((workload.version, workload.endpoint)))
    answer = VersionRoute(route, workload, old, old)
    blocked = tuple(missing_inputs(view, workload))
    if blocked:
        failed = tuple(g for g in blocked if g.reason == "BuildFailed")
        return replace(answer, gates=tuple(g for g in blocked if g not in failed), failures=failed)
    if gate := guard_gate(view):
        return replace(answer, gates=(gate,))
    if view.is_left_alone(view.version_routes.get((workload.version, workload.endpoint))):
        return answer
    retreat = _retreat(view, workload, switches)
    if retreat:
        return replace(answer, backend=retreat)
    return _judge(view, answer, switches)


def _retreat(view: View, workload: Workload, switches: Mapping[str, Switch]) -> str | None:
    """The same version's old settings, still served by an alias whose switch to the new ones failed."""
    for switch in switches.values():
        old = switch.old(workload.endpoint)
        aimed = switch.target.get(workload.endpoint) == workload
        if aimed and switch.failures and old and old != workload.name and view.version_of(old) == workload.version:
            return old
    return None


def _judge(view: View, answer: VersionRoute, switches: Mapping[str, Switch]) -> VersionRoute:
    """A route that leads nowhere useful moves at once; one that serves moves when the new settings do."""
    workload, old = answer.workload, answer.old
    naming = [s for s in switches.values() if workload in s.target.values()]
    known = workload.name in view.confirmed_workloads
    gate = not_ready(view, workload, needed(view, workload, old, named=bool(naming)), hold=not known)
    useless = old in (None, workload.name) or view.deployment(old or "") is None
    if gate is None or useless:
        answer = replace(answer, backend=workload.name)
    gate = gate or _not_accepted(view, answer)
    if gate and gate.clock:
        return replace(answer, gates=(gate,))
    if gate is None or any(not s.settled for s in naming) or forced_replicas(view, workload.name, switches) == 0:
        return answer  # nothing is missing, or a switch tells what it waits for, such as for the place of this workload
    if gate.reason == "DoesNotFit":
        return replace(answer, failures=(replace(gate, subject=Subject("version", version_url(workload))),))
    return _wait(view, answer, gate)


def _not_accepted(view: View, answer: VersionRoute) -> Gate | None:
    """A gateway may take its time for a route that it has not seen before; after that its silence is told, too."""
    route = view.version_routes.get((answer.workload.version, answer.workload.endpoint))
    if route is None or answer.backend != answer.old or view.accepted(route):
        return None
    url = version_url(answer.workload)
    subject, lead = Subject("version", url), f"the URL of {url} is not served"
    made = made_at(route)
    if words := refusal(view, route):
        return Gate(subject, "RouteNotAccepted", f"{lead}: {words}")
    if made is None or view.now < made + ANSWER_TIME:
        return Gate(subject, "RouteNotAccepted", f"{lead} yet", made and made + ANSWER_TIME, clock=True)
    return Gate(subject, "RouteNotAccepted", f"{lead}: {silence(view, route)}")


def _wait(view: View, answer: VersionRoute, gate: Gate) -> VersionRoute:
    """Waiting has a deadline; an alias that waits for the same workload has its own."""
    workload = answer.workload
    url = version_url(workload)
    if given_up := view.fact(FactKind.GIVEN_UP, url, switch_input((workload.name,))):
        return replace(answer, failures=(_failure(url, given_up),))
    waits = wait(view, url, (workload.name,), (gate,))
    if waits.given_up:
        return replace(answer, facts=(waits.given_up,), failures=(_failure(url, waits.given_up),))
    shown = Gate(Subject("version", url), gate.reason, f"{workload.version} waits: {gate.message}", waits.until)
    return replace(answer, gates=(shown,), facts=waits.begun)


def _failure(url: str, given_up: Fact) -> Gate:
    return given_up_gate(Subject("version", url), url, given_up.detail)

"""Whether an alias may move now. It moves as a whole: the gates over all its endpoints, then all its routes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from controller.health.pod import explain_pods
from controller.model import labels
from controller.model.changes import Gate, Hold
from controller.model.desired import AliasRoutes, Workload
from controller.model.objects import key_of
from controller.model.record import FactKind
from controller.model.routes import backend_of
from controller.plan.acceptance import refusal
from controller.plan.confirmation import confirm_move, confirm_previous, has_served
from controller.plan.fact_names import lost_record_input
from controller.plan.gates import missing_inputs, needed, not_ready
from controller.plan.golden import golden_checks, golden_failure, golden_gate
from controller.plan.guard import guard_gate
from controller.plan.patience import given_up_gate, wait
from controller.plan.switch import Switch, aim
from controller.plan.view import View


def plan_switch(view: View, alias: AliasRoutes) -> Switch:
    """Judge one alias: settled, confirming, waiting, held, failed, or free to move."""
    switch = aim(view, alias)
    if not switch.target:
        return replace(switch, holds=(_pinned_elsewhere(switch),))
    if hold := _record_lost(view, switch) or _endpoint_lost(view, switch) or _left_alone(view, switch):
        switch = replace(switch, holds=(hold,))
    if switch.in_place:
        return confirm_move(view, switch)
    if confirming := confirm_previous(view, switch):
        return confirming
    return switch if switch.holds else _judge(view, switch)


def _pinned_elsewhere(switch: Switch) -> Hold:
    name = switch.alias.name
    text = f"{name} is pinned to {switch.version}, which is not enabled here; its routes stay"
    return Hold(switch.subject, "PinnedVersionMissing", text, f"pointsman unpin {name}")


def _record_lost(view: View, switch: Switch) -> Hold | None:
    """Nobody remembers why the alias is elsewhere."""
    name, deployment = switch.alias.name, view.desired.unit.deployment
    forgotten = view.fact(FactKind.GIVEN_UP, name, lost_record_input(switch.alias))
    if not forgotten or switch.in_place or switch.pinned:
        return None
    text = f"{switch.title}: the record of {deployment} was lost, and {name} leads elsewhere"
    return Hold(switch.subject, "RecordLost", text, f"pointsman reconcile {deployment}")


def _endpoint_lost(view: View, switch: Switch) -> Hold | None:
    """The switch takes an endpoint away, and no person has allowed that."""
    if not switch.lost or (view.desired.released(switch.alias.file) and not view.desired.rewritten):
        return None
    text = f"{switch.title}: {', '.join(switch.lost)} is served by {switch.alias.name} but not in {switch.version}"
    return Hold(switch.subject, "EndpointLost", text, f"pointsman allow-prune {view.desired.unit.deployment}")


def _left_alone(view: View, switch: Switch) -> Hold | None:
    """A person keeps one of the routes as it is, and an alias moves as a whole."""
    kept = sorted(key_of(route).name for route in switch.current.values() if view.is_left_alone(route))
    if not kept or switch.in_place:
        return None
    text = f"{switch.title}: {labels.RECONCILE} is disabled on its route {', '.join(kept)}"
    hint = f"kubectl annotate httproute -n {view.desired.namespace} {' '.join(kept)} {labels.RECONCILE}-"
    return Hold(switch.subject, "ReconcileDisabled", text, hint)


def _judge(view: View, switch: Switch) -> Switch:
    if failure := _given_up(view, switch) or golden_failure(view, switch) or _foreign(view, switch):
        return replace(switch, failures=(failure,))
    inputs = tuple(gate for w in switch.target.values() for gate in missing_inputs(view, w))
    blocked = tuple(replace(gate, subject=switch.subject) for gate in inputs if gate.reason == "BuildFailed")
    if blocked:
        return replace(switch, failures=blocked)
    if inputs := (*inputs, *filter(None, [guard_gate(view)])):
        return replace(switch, gates=_for_alias(switch, inputs))
    if unready := tuple(_readiness(view, switch)):
        return _waiting(view, switch, unready)
    if checks := tuple(golden_checks(view, switch)):
        return replace(switch, gates=_for_alias(switch, (golden_gate(switch, checks),)), golden=checks)
    return replace(switch, moves=True)


def _given_up(view: View, switch: Switch) -> Gate | None:
    """The switch that was given up before, with what its pods say now."""
    given_up = view.fact(FactKind.GIVEN_UP, switch.alias.name, switch.input)
    if given_up is None:
        return None
    words = "; ".join(dict.fromkeys(filter(None, (explain_pods(view.pods(name)) for name in switch.names))))
    news = f"; now: {words}" if words and words not in given_up.detail else ""
    return given_up_gate(switch.subject, switch.title, given_up.detail + news)


def _foreign(view: View, switch: Switch) -> Gate | None:
    """An object of somebody else where one of the routes is to be: no route may move without the others."""
    for endpoint in switch.target:
        route = switch.alias.routes.get(endpoint)
        found = view.observed.objects.get(route.key) if route else None
        if route and found is not None and not view.owns(found):
            text = f"{switch.title} failed: {route.key} belongs to somebody else and is never overwritten"
            return Gate(switch.subject, "ForeignObject", text)
    return None


def _readiness(view: View, switch: Switch) -> Iterator[Gate]:
    for endpoint, workload in sorted(switch.target.items()):
        known = has_served(view, switch, workload)
        wanted = needed(view, workload, switch.old(endpoint), named=True)
        gate = not_ready(view, workload, wanted, hold=not known)
        if gate is None and not known:
            gate = _without_version_url(view, switch, workload)
        if gate:
            yield gate


def _without_version_url(view: View, switch: Switch, workload: Workload) -> Gate | None:
    """Golden requests need the version's own URL."""
    route = view.version_routes.get((workload.version, workload.endpoint))
    what = f"the version URL of {workload.endpoint}"
    if route is None or backend_of(route) != workload.name:
        return Gate(switch.subject, "VersionRoute", f"{what} does not lead to it yet")
    if view.accepted(route):
        return None
    words = refusal(view, route)
    return Gate(switch.subject, "RouteNotAccepted", f"{what} is not served yet" + (f": {words}" if words else ""))


def _waiting(view: View, switch: Switch, unready: tuple[Gate, ...]) -> Switch:
    if impossible := tuple(gate for gate in unready if gate.reason == "DoesNotFit"):
        return replace(switch, failures=_for_alias(switch, impossible))
    waits = wait(view, switch.alias.name, switch.names, unready)
    if waits.given_up:
        failure = given_up_gate(switch.subject, switch.title, waits.given_up.detail)
        return replace(switch, facts=(waits.given_up,), failures=(failure,))
    gates = tuple(replace(gate, until=waits.until) for gate in _for_alias(switch, unready))
    return replace(switch, gates=gates, facts=waits.begun)


def _for_alias(switch: Switch, gates: Iterable[Gate]) -> tuple[Gate, ...]:
    """Gates of workloads as what the alias waits for."""
    return tuple(replace(gate, subject=switch.subject, message=f"{switch.title} waits: {gate.message}") for gate in gates)

"""An alias moves as a whole: the gates over all its endpoints, then all its routes, then the data plane's word."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from controller.health.pod import explain_pods
from controller.model import labels
from controller.model.changes import ConfirmCheck, Gate, GoldenCheck, Hold
from controller.model.desired import AliasRoutes, Workload
from controller.model.objects import Object, annotation
from controller.model.record import Fact, FactKind
from controller.model.routes import backend_of
from controller.plan.fact_names import (
    for_capacity,
    lost_record_input,
    owner_and_endpoint,
    route_subject,
    switch_input,
    version_url,
)
from controller.plan.gates import CAPACITY_DEADLINE, expired, has_started, missing_inputs, needed, not_ready
from controller.plan.view import View


@dataclass(frozen=True, slots=True)
class Switch:
    """Where an alias stands: `moves` is True when all its routes may be written now.

    `target` maps endpoints to the workload that each is to lead to; `lost` are observed endpoints that the target lacks.
    """

    alias: AliasRoutes
    version: str
    pinned: bool
    target: Mapping[str, Workload]
    current: Mapping[str, Object]
    lost: tuple[str, ...] = ()
    moves: bool = False
    settled: bool = False
    gates: tuple[Gate, ...] = ()
    holds: tuple[Hold, ...] = ()
    failures: tuple[Gate, ...] = ()
    facts: tuple[Fact, ...] = ()
    golden: tuple[GoldenCheck, ...] = ()
    confirms: tuple[ConfirmCheck, ...] = field(default=())

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(sorted(w.name for w in self.target.values()))

    @property
    def input(self) -> str:
        return switch_input(self.names)

    @property
    def in_place(self) -> bool:
        """Whether every endpoint of the target is served by its workload already."""
        return all(self.old(endpoint) == workload.name for endpoint, workload in self.target.items())

    @property
    def drops(self) -> tuple[str, ...]:
        """Lost endpoints whose routes may go now."""
        return self.lost if (self.moves or self.in_place) and not self.holds else ()

    def old(self, endpoint: str) -> str | None:
        """The workload that serves an endpoint of the alias now."""
        return backend_of(self.current.get(endpoint))


def plan_switch(view: View, alias: AliasRoutes) -> Switch:
    """Judge one alias: settled, confirming, waiting, held, failed, or free to move."""
    switch = _target(view, alias)
    subject = view.alias_subject(alias.name)
    if not switch.target:
        hint = f"pointsman unpin {alias.name}"
        text = f"{alias.name} is pinned to {switch.version}, which is not enabled here; its routes stay"
        return replace(switch, holds=(Hold(subject, "PinnedVersionMissing", text, hint),))
    if hold := _hold(view, switch):
        switch = replace(switch, holds=(hold,))
    if switch.in_place:
        return _confirm(view, switch)
    if pending := _unconfirmed(view, switch):
        check = _confirmation(view, alias, pending)
        gate = Gate(subject, "Confirming", f"{alias.name}: the switch before this one is still being confirmed")
        return replace(switch, gates=(gate,), confirms=(check,))
    return switch if switch.holds else _judge(view, switch)


def pinned_version(view: View, alias: AliasRoutes) -> str | None:
    """The version that a person pinned; a commit that moves the alias elsewhere than it was then ends the pin."""
    pin = view.fact(FactKind.PINNED, alias.name)
    return pin.input if pin and pin.detail in ("", alias.version) else None


def unconfirmed_move(view: View, alias: str, endpoint: str, workload: str) -> bool:
    """Whether the route was moved to `workload` and the data plane has not yet answered with it."""
    left = view.fact(FactKind.LEFT, route_subject(alias, endpoint))
    confirmed = view.fact(FactKind.CONFIRMED, alias, workload)
    return confirmed is None or (left is not None and left.input != workload and confirmed.at < left.at)


def _target(view: View, alias: AliasRoutes) -> Switch:
    pin = pinned_version(view, alias)
    version = pin or alias.version
    current = view.alias_routes.get(alias.name, {})
    declared = view.desired_versions.get(version, ())
    target = {w.endpoint: w for w in declared if w.endpoint in alias.routes or w.endpoint in current}
    lost = tuple(sorted(set(current) - set(target)))
    return Switch(alias, version, pin is not None, target, current, lost)


def _confirm(view: View, switch: Switch) -> Switch:
    alias = switch.alias.name
    pending = {e: w.name for e, w in switch.target.items() if unconfirmed_move(view, alias, e, w.name)}
    if not pending:
        return replace(switch, settled=True)
    refused = [e for e in pending if not view.accepted(switch.current[e])]
    if refused:
        text = f"{alias}: the gateway has not accepted the route of {', '.join(sorted(refused))}"
        return replace(switch, gates=(Gate(view.alias_subject(alias), "RouteNotAccepted", text),))
    gate = Gate(view.alias_subject(alias), "Confirming", f"{alias} → {switch.version}: asking the data plane")
    return replace(switch, gates=(gate,), confirms=(_confirmation(view, switch.alias, pending),))


def _unconfirmed(view: View, switch: Switch) -> dict[str, str]:
    """Endpoints still at a move that nobody confirmed: a newer switch waits until that one's drain clock starts."""
    pending = {}
    for endpoint in switch.current:
        old = switch.old(endpoint)
        left = view.fact(FactKind.LEFT, route_subject(switch.alias.name, endpoint))
        interrupted = left is not None and left.input == old
        aimed = switch.target.get(endpoint)
        if old and left and not interrupted and not (aimed and aimed.name == old):
            over = view.now >= left.at + view.desired.rollout.deadline
            if not over and unconfirmed_move(view, switch.alias.name, endpoint, old):
                pending[endpoint] = old
    return pending


def _confirmation(view: View, alias: AliasRoutes, pending: Mapping[str, str]) -> ConfirmCheck:
    routes = view.alias_routes[alias.name]
    paths = sorted((annotation(routes[e], labels.PATH) or "", w, view.version_of(w)) for e, w in pending.items())
    return ConfirmCheck(alias.name, tuple(paths))


def _hold(view: View, switch: Switch) -> Hold | None:
    """Why a person has to allow this switch: it takes an endpoint away, or nobody remembers why the alias is elsewhere."""
    name, deployment = switch.alias.name, view.desired.unit.deployment
    subject = view.alias_subject(name)
    forgotten = view.fact(FactKind.GIVEN_UP, name, lost_record_input(switch.alias))
    if forgotten and not (switch.in_place or switch.pinned):
        text = f"{name} → {switch.version}: the record of {deployment} was lost, and {name} leads elsewhere"
        return Hold(subject, "RecordLost", text, f"pointsman reconcile {deployment}")
    if switch.lost and (view.desired.rewritten or not view.desired.released(switch.alias.file)):
        text = f"{name} → {switch.version}: {', '.join(switch.lost)} is served by {name} but not in {switch.version}"
        return Hold(subject, "EndpointLost", text, f"pointsman allow-prune {deployment}")
    return None


def _judge(view: View, switch: Switch) -> Switch:
    alias = switch.alias.name
    if failure := _failure(view, switch) or _foreign(view, switch):
        return replace(switch, failures=(failure,))
    inputs = tuple(gate for w in switch.target.values() for gate in missing_inputs(view, w))
    blocked = [g for g in inputs if g.reason == "BuildFailed"]
    if blocked:
        return replace(switch, failures=tuple(replace(g, subject=view.alias_subject(alias)) for g in blocked))
    if inputs:
        return replace(switch, gates=_for_alias(view, switch, inputs))
    waits = tuple(_readiness(view, switch))
    if waits:
        return _waiting(view, switch, waits)
    checks = tuple(_golden(view, switch))
    if checks:
        words = ", ".join(sorted(owner_and_endpoint(check.subject)[1] for check in checks))
        gate = Gate(view.alias_subject(alias), "GoldenRequests", f"golden requests of {words} on the version URL")
        return replace(switch, gates=_for_alias(view, switch, (gate,)), golden=checks)
    return replace(switch, moves=True)


def _readiness(view: View, switch: Switch) -> Iterator[Gate]:
    for endpoint, workload in sorted(switch.target.items()):
        known = _is_known(view, switch, workload)
        wanted = needed(view, workload, switch.old(endpoint), named=True)
        if gate := not_ready(view, workload, wanted, hold=not known):
            yield gate
        elif not known and not _serves(view, workload):
            text = f"the version URL of {endpoint} does not lead to it yet"
            yield Gate(view.alias_subject(switch.alias.name), "VersionRoute", text)


def _is_known(view: View, switch: Switch, workload: Workload) -> bool:
    """Whether this alias has served the workload before: golden requests and the hold are skipped."""
    return view.fact(FactKind.CONFIRMED, switch.alias.name, workload.name) is not None


def _serves(view: View, workload: Workload) -> bool:
    route = view.version_routes.get((workload.version, workload.endpoint))
    return backend_of(route) == workload.name and view.accepted(route)


def _golden(view: View, switch: Switch) -> Iterator[GoldenCheck]:
    for endpoint, workload in sorted(switch.target.items()):
        passed = view.fact(FactKind.GOLDEN_PASSED, version_url(workload), workload.name)
        if workload.golden and not passed and not _is_known(view, switch, workload):
            path = view.desired.version_routes[(workload.version, endpoint)].path
            yield GoldenCheck(version_url(workload), workload.name, path, workload.golden, workload.timeout)


def _waiting(view: View, switch: Switch, waits: tuple[Gate, ...]) -> Switch:
    """Waiting has a deadline: from the pods' start the rollout's own, before that the one for capacity."""
    started = all(has_started(view, name) for name in switch.names)
    subject = switch.alias.name if started else for_capacity(switch.alias.name)
    limit = view.desired.rollout.deadline if started else CAPACITY_DEADLINE
    over, until = expired(view, subject, switch.input, limit)
    if over:
        words = "; ".join(gate.message for gate in waits)
        fact = view.new_fact(FactKind.GIVEN_UP, switch.alias.name, switch.input, f"after {limit:g} s: {words}")
        return replace(switch, facts=(fact,), failures=(_given_up(view, switch, fact.detail),))
    begin = () if until else (view.new_fact(FactKind.WAITING_SINCE, subject, switch.input),)
    gates = tuple(replace(g, until=until or view.now + limit) for g in _for_alias(view, switch, waits))
    return replace(switch, gates=gates, facts=begin)


def _for_alias(view: View, switch: Switch, gates: tuple[Gate, ...]) -> tuple[Gate, ...]:
    lead = f"{switch.alias.name} → {switch.version} waits: "
    subject = view.alias_subject(switch.alias.name)
    return tuple(replace(gate, subject=subject, message=lead + gate.message) for gate in gates)


def _failure(view: View, switch: Switch) -> Gate | None:
    given_up = view.fact(FactKind.GIVEN_UP, switch.alias.name, switch.input)
    if given_up:
        words = "; ".join(filter(None, (explain_pods(view.pods(name)) for name in switch.names)))
        news = f"; now: {words}" if words and words not in given_up.detail else ""
        return _given_up(view, switch, given_up.detail + news)
    for workload in switch.target.values():
        failed = view.fact(FactKind.GOLDEN_FAILED, version_url(workload), workload.name)
        if failed and not _is_known(view, switch, workload):
            text = f"{switch.alias.name} → {switch.version} failed: golden request of {workload.endpoint}: {failed.detail}"
            return Gate(view.alias_subject(switch.alias.name), "GoldenFailed", text)
    return None


def _foreign(view: View, switch: Switch) -> Gate | None:
    """An object of somebody else where one of the routes is to be: the alias moves as a whole or not at all."""
    subject, lead = view.alias_subject(switch.alias.name), f"{switch.alias.name} → {switch.version} failed: "
    for endpoint in switch.target:
        route = switch.alias.routes.get(endpoint)
        found = view.observed.objects.get(route.key) if route else None
        if route and found is not None and not view.owns(found):
            return Gate(subject, "ForeignObject", f"{lead}{route.key} belongs to somebody else and is never overwritten")
    return None


def _given_up(view: View, switch: Switch, words: str) -> Gate:
    text = f"{switch.alias.name} → {switch.version} was given up {words}"
    return Gate(view.alias_subject(switch.alias.name), "GivenUp", text)

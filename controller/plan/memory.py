"""Facts that a plan writes before its steps, and facts that have served their purpose."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from controller.model.changes import ConfirmCheck, GoldenCheck
from controller.model.record import Fact, FactKind, UnitRecord
from controller.model.routes import backend_of
from controller.plan.fact_names import (
    for_capacity,
    lost_record_input,
    owner_and_endpoint,
    route_subject,
    switch_input,
    version_url,
)
from controller.plan.guard import unguarding
from controller.plan.standing import Phase, standing
from controller.plan.switch import Switch
from controller.plan.version_routes import VersionRoute
from controller.plan.view import View

CONFIRMED_VERSIONS = 10
"""So many versions per alias stay known as having served it: what `rollback` may choose from."""
_FAILED = (FactKind.GIVEN_UP, FactKind.GOLDEN_FAILED, FactKind.WAITING_SINCE)


def moved_facts(view: View, switches: Iterable[Switch], routes: Iterable[VersionRoute]) -> Iterator[Fact]:
    """`left` is written before the route moves: after a crash in between nothing that still serves is cleaned up."""
    for switch in switches:
        for endpoint in switch.current if switch.moves else ():
            old, aimed = switch.old(endpoint), switch.target.get(endpoint)
            if old and aimed and aimed.name != old:
                yield view.new_fact(FactKind.LEFT, route_subject(switch.alias.name, endpoint), old)
    for route in routes:
        if route.moves and route.old:
            yield view.new_fact(FactKind.LEFT, version_url(route.workload), route.old)


def completed_pins(view: View) -> Iterator[Fact]:
    """A new pin learns where git wants its alias, so that a commit which moves the alias ends it."""
    for fact in view.facts(FactKind.PINNED):
        alias = view.desired.aliases.get(fact.subject)
        if alias and not fact.detail:
            yield replace(fact, detail=alias.version)


def forgiven(record: UnitRecord) -> UnitRecord:
    """The record without what keeps a failed switch from being tried again: a person asked for that."""
    return record.with_facts((), [fact for fact in record.facts if fact.kind in _FAILED])


def passed_facts(check: GoldenCheck, revision: str, at: float, failure: str | None) -> Fact:
    """The fact that follows golden requests."""
    kind = FactKind.GOLDEN_FAILED if failure else FactKind.GOLDEN_PASSED
    return Fact(kind, check.subject, check.workload, revision, at, failure or "")


def confirmed_facts(check: ConfirmCheck, revision: str, at: float) -> tuple[Fact, ...]:
    """The facts that follow the data plane's answer; they start the drain clock of what was left."""
    return tuple(Fact(FactKind.CONFIRMED, check.subject, w, revision, at, version) for _, w, version in check.routes)


def outdated(view: View, switches: Mapping[str, Switch], routes: Iterable[VersionRoute]) -> Iterator[Fact]:
    """Facts whose subject has moved on."""
    waiting = {*_waiting(switches, routes), *unguarding(view)}
    aimed = {name for s in switches.values() if not s.settled for name in s.names}
    present = view.desired_names | view.workloads.keys()
    for fact in view.record.facts:
        if fact.kind in (FactKind.WAITING_SINCE, FactKind.GIVEN_UP):
            gone = (fact.subject, fact.input) not in waiting
        elif fact.kind is FactKind.GOLDEN_PASSED:
            gone = fact.input not in present
        elif fact.kind is FactKind.GOLDEN_FAILED:
            gone = fact.input not in aimed
        elif fact.kind is FactKind.LEFT:
            gone = _left_is_over(view, fact, switches, present)
        elif fact.kind is FactKind.PINNED:
            gone = _pin_is_over(view, fact, switches)
        else:
            gone = False
        if gone:
            yield fact
    yield from _old_confirmations(view, present)


def _pin_is_over(view: View, fact: Fact, switches: Mapping[str, Switch]) -> bool:
    """A commit has changed or removed the alias's file; one with a mistake in it decides nothing yet."""
    switch = switches.get(fact.subject)
    return not switch.pinned if switch else not view.is_held(view.alias_subject(fact.subject))


def _waiting(switches: Mapping[str, Switch], routes: Iterable[VersionRoute]) -> set[tuple[str, str]]:
    """Subject and input of every wait that goes on, or that was given up and still counts."""
    moving = [s for s in switches.values() if not (s.settled or s.confirms)]
    aliases = {(s.alias.name, of) for s in moving for of in (s.input, lost_record_input(s.alias))}
    urls = [r for r in routes if r.failures or any(not gate.clock for gate in r.gates)]
    versions = {(version_url(r.workload), switch_input((r.workload.name,))) for r in urls}
    waits = aliases | versions
    return waits | {(for_capacity(subject), of) for subject, of in waits}


def _left_is_over(view: View, fact: Fact, switches: Mapping[str, Switch], present: frozenset[str]) -> bool:
    """Gone with its workload, taken back by a move to it, or run out while the workload is declared anyway."""
    if fact.input not in present or _led_back(view, fact, switches):
        return True
    return fact.input in view.desired_names and standing(view, fact.input).phase is Phase.DONE


def _led_back(view: View, fact: Fact, switches: Mapping[str, Switch]) -> bool:
    """Whether the URL leads again to the workload that it left; that of an alias only once this is settled."""
    owner, endpoint = owner_and_endpoint(fact.subject)
    if switch := switches.get(owner):
        return switch.settled and switch.old(endpoint) == fact.input
    return backend_of(view.version_routes.get((owner, endpoint))) == fact.input


def _old_confirmations(view: View, present: frozenset[str]) -> Iterator[Fact]:
    """All but the newest of each of the last versions; a workload that is still here keeps its own."""
    by_alias: dict[str, dict[str, list[Fact]]] = {}
    for fact in view.facts(FactKind.CONFIRMED):
        by_alias.setdefault(fact.subject, {}).setdefault(fact.detail, []).append(fact)
    for versions in by_alias.values():
        newest = {version: max(facts, key=lambda f: (f.at, f.input)) for version, facts in versions.items()}
        kept = sorted(newest.values(), key=lambda f: (-f.at, f.detail))[:CONFIRMED_VERSIONS]
        for version, facts in versions.items():
            known = newest[version] in kept
            yield from (f for f in facts if not known or (f != newest[version] and f.input not in present))

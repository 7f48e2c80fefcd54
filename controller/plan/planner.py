"""The one entry point: what may be done now, and why the rest waits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from controller.model import labels
from controller.model.changes import Change, Gate, Hold, Operation, Plan
from controller.model.desired import DesiredState
from controller.model.diagnostics import Diagnostic, Subject
from controller.model.identity import ObjectKey, UnitKey
from controller.model.images import Image, ImageSpec
from controller.model.objects import key_of
from controller.model.observed import ObservedState
from controller.model.record import Fact, FactKind, UnitRecord
from controller.plan.fact_names import lost_record_input
from controller.plan.items import desired_items
from controller.plan.judge import plan_switch
from controller.plan.memory import completed_pins, moved_facts, outdated
from controller.plan.recreate import interruptions
from controller.plan.retire import Retirement, retire
from controller.plan.switch import Switch
from controller.plan.version_routes import VersionRoute, plan_version_route
from controller.plan.view import View

UNIT = Subject("unit")


def plan(desired: DesiredState, observed: ObservedState, record: UnitRecord, now: float) -> Plan:
    """The difference between what git wants and what the target has, as far as it is allowed now (`now` in epoch seconds).

    Carrying out `facts`, `changes` and the checks, in this order, and planning again at the same moment gives an
    empty plan; time and readiness then open the gates one by one.
    """
    view = View(desired, observed, record, now)
    if suspended := view.fact(FactKind.SUSPENDED, "unit"):
        return _nothing(view, Gate(UNIT, "Suspended", suspended.detail or "suspended: pointsman resume continues"))
    if lost := tuple(_lost_record(view)):
        view = replace(view, record=record.with_facts(lost))
    switches = {name: plan_switch(view, alias) for name, alias in sorted(desired.aliases.items())}
    routes = [
        plan_version_route(view, route, desired.workloads[key], switches)
        for key, route in sorted(desired.version_routes.items())
    ]
    items = list(desired_items(view, switches, routes))
    retirement = retire(view, switches, frozenset(item.key for item in items) | _kept_keys(view, switches))
    return _assemble(_Decisions(view, switches, routes, items, retirement, lost))


def held_plan(unit: UnitKey, revision: str, diagnostics: Iterable[Diagnostic], record: UnitRecord, now: float) -> Plan:
    """The plan of a unit that a mistake holds whole: nothing, with the mistakes as its holds."""
    holds = tuple(Hold(d.subject, d.code, f"{d.location}: {d.message}", d.hint) for d in diagnostics if d.is_error)
    return Plan(unit, revision, now, holds=holds, inventory=record.inventory)


def _nothing(view: View, gate: Gate) -> Plan:
    revision = str(view.desired.revision)
    return Plan(view.desired.unit, revision, view.now, gates=(gate,), inventory=view.record.inventory)


def _lost_record(view: View) -> Iterator[Fact]:
    """Without its record a unit may only wait longer: an alias that leads elsewhere than git says stays for a person."""
    if view.record.resource_version is not None:
        return
    for name, alias in sorted(view.desired.aliases.items()):
        switch = plan_switch(view, alias)
        if switch.current and switch.target and not switch.in_place:
            yield view.new_fact(FactKind.GIVEN_UP, name, lost_record_input(alias), "the record of this unit was lost")


def _kept_keys(view: View, switches: Mapping[str, Switch]) -> frozenset[ObjectKey]:
    """Routes that are declared or kept by a switch are never up for removal, whatever happens to them in this pass."""
    declared = {route.key for route in view.desired.version_routes.values()}
    declared |= {route.key for alias in view.desired.aliases.values() for route in alias.routes.values()}
    for switch in switches.values():
        declared |= {key_of(route) for endpoint, route in switch.current.items() if endpoint not in switch.drops}
    return frozenset(declared)


@dataclass(frozen=True, slots=True)
class _Decisions:
    view: View
    switches: Mapping[str, Switch]
    routes: list[VersionRoute]
    items: list[Change]
    retirement: Retirement
    lost: tuple[Fact, ...]


def _assemble(made: _Decisions) -> Plan:
    view, switches, routes, items, retirement = made.view, made.switches, made.routes, made.items, made.retirement
    changes = [c for c in items if c.operation in (Operation.CREATE, Operation.UPDATE)]
    parts: list[Switch | VersionRoute] = [*switches.values(), *routes]
    gates = _distinct((*(g for part in parts for g in part.gates), *retirement.gates))
    conflicts = tuple(_conflict(c) for c in items if c.operation is Operation.CONFLICT)
    failures = _distinct((*(f for part in parts for f in part.failures), *conflicts))
    facts = (
        *made.lost,
        *(f for part in parts for f in part.facts),
        *moved_facts(view, switches.values(), routes),
        *completed_pins(view),
        *retirement.facts,
    )
    dropped = tuple(outdated(view, switches, routes))
    return Plan(
        view.desired.unit,
        str(view.desired.revision),
        view.now,
        changes=(*changes, *retirement.changes),
        gates=gates,
        holds=(*_mistakes(view), *(h for s in switches.values() for h in s.holds), *retirement.holds),
        facts=facts,
        dropped=tuple(fact for fact in dropped if fact.identity not in {f.identity for f in facts}),
        builds=tuple(_builds(view)),
        golden=tuple(check for s in switches.values() for check in s.golden),
        confirms=tuple(check for s in switches.values() for check in s.confirms),
        inventory=_inventory(view, items),
        warnings=(
            *view.desired.notices,
            *_image_warnings(view),
            *_left_alone(view),
            *_unread(view),
            *retirement.warnings,
            *interruptions(view, switches),
        ),
        wake=min((g.until for g in gates if g.until), default=None),
        unchanged=sum(c.operation is Operation.UNCHANGED for c in items),
        failures=failures,
    )


def _distinct(gates: Iterable[Gate]) -> tuple[Gate, ...]:
    return tuple(dict.fromkeys(gates))


def _conflict(change: Change) -> Gate:
    return Gate(Subject("object", str(change.key)), "ForeignObject", f"{change.key} {change.reason}; it is never overwritten")


def _mistakes(view: View) -> Iterator[Hold]:
    for subject, diagnostics in sorted(view.desired.held.items()):
        for d in diagnostics:
            if d.is_error:
                yield Hold(subject, d.code, f"{d.location}: {d.message}", d.hint)


def _builds(view: View) -> Iterator[ImageSpec]:
    missing = {w.spec.key: w.spec for _, w in sorted(view.desired.workloads.items()) if w.image is None}
    yield from missing.values()


def _image_warnings(view: View) -> tuple[str, ...]:
    """What whoever built the images has to say about them, before a pod does."""
    built = ((w.endpoint, w.image) for _, w in sorted(view.desired.workloads.items()) if isinstance(w.image, Image))
    return tuple(dict.fromkeys(f"{endpoint}: {warning}" for endpoint, image in built for warning in image.warnings))


def _left_alone(view: View) -> Iterator[str]:
    """What a person keeps as it is, said on every pass so that nobody forgets it."""
    for key in sorted(key for key, obj in view.owned.items() if view.is_left_alone(obj)):
        yield f"{key} is left as it is: {labels.RECONCILE} is disabled on it"


def _unread(view: View) -> Iterator[str]:
    """What was written while the target had another class of gateway, and is out of our reach now."""
    for key in sorted(view.record.inventory & view.observed.unread):
        yield f"{key} cannot be read any more; it stays in the inventory until it can, and is then removed"


def _inventory(view: View, items: Iterable[Change]) -> frozenset[ObjectKey]:
    ours = frozenset(c.key for c in items if c.operation is not Operation.CONFLICT and c.key.kind != "Namespace")
    still_there = frozenset(key for key in view.record.inventory if key in view.observed.objects)
    return ours | still_there | (view.record.inventory & view.observed.unread)

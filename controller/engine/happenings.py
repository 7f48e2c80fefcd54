"""PURE: what of a pass is worth a Kubernetes Event: transitions of conditions, switches, and what was put back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from controller.engine.drift import Drift
from controller.model import labels
from controller.model.conditions import Condition
from controller.model.identity import ObjectKey
from controller.model.objects import Object, annotation
from controller.model.record import Fact, FactKind

_OF_FACTS = {
    FactKind.CONFIRMED: ("Switched", "{subject} → {detail} is confirmed by the gateway"),
    FactKind.GIVEN_UP: ("GivenUp", "{subject}: {detail}"),
    FactKind.GOLDEN_FAILED: ("GoldenFailed", "{subject}: {detail}"),
}


@dataclass(frozen=True, slots=True)
class Happening:
    """One thing to tell; `about` None means the unit itself, which is its record."""

    reason: str
    message: str
    is_warning: bool = False
    about: ObjectKey | None = None


def of_conditions(before: Iterable[Condition], after: Iterable[Condition]) -> Iterator[Happening]:
    """One per condition that changed its status; a unit that is new is not told to be well."""
    old, new = {c.type: c for c in before}, {c.type: c for c in after}
    for kind, condition in new.items():
        known = old.get(kind)
        is_bad = kind == "Stalled" or (kind == "Ready" and condition.status == "False")
        is_first = known is None and kind not in old and not old
        if is_bad and (known is None or (known.status, known.reason) != (condition.status, condition.reason)):
            yield Happening(condition.reason, f"{kind} is {condition.status}: {condition.message}", is_warning=True)
        elif not is_bad and not is_first and (known is None or known.status != condition.status):
            yield Happening(condition.reason, f"{kind} is {condition.status}: {condition.message}")


def of_facts(facts: Iterable[Fact], objects: Mapping[ObjectKey, Object]) -> Iterator[Happening]:
    """One per switch that was confirmed, given up or refused by a golden request."""
    for fact in facts:
        if fact.kind in _OF_FACTS:
            reason, words = _OF_FACTS[fact.kind]
            message = words.format(subject=fact.subject, detail=fact.detail or fact.input)
            yield Happening(reason, message, fact.kind is not FactKind.CONFIRMED, _concerned(fact, objects))


def of_drifts(found: Iterable[Drift]) -> Iterator[Happening]:
    """One per object that was put back, named in the words too: the unit's record has the Event as well."""
    for drift in found:
        reason = "Recreated" if drift.is_deletion else "Corrected"
        yield Happening(reason, f"{drift.key.kind} {drift.key.name}, {drift}", is_warning=True, about=drift.key)


def _concerned(fact: Fact, objects: Mapping[ObjectKey, Object]) -> ObjectKey | None:
    """The alias's first route for a switch, the workload for what failed."""
    if fact.kind is FactKind.CONFIRMED:
        return min((k for k, obj in objects.items() if annotation(obj, labels.ALIAS) == fact.subject), default=None)
    return next((k for k in objects if k.kind == "Deployment" and k.name in fact.input), None)

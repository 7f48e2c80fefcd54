"""The one durable object per unit on its target: what cannot be observed again after a crash."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from controller.model.conditions import Condition
from controller.model.identity import ObjectKey, UnitKey


class FactKind(StrEnum):
    """Why something may or must not happen yet. docs/reference/record.md says who writes and who reads each."""

    WAITING_SINCE = "waiting-since"
    GOLDEN_PASSED = "golden-passed"
    GOLDEN_FAILED = "golden-failed"
    CONFIRMED = "confirmed"
    LEFT = "left"
    GIVEN_UP = "given-up"
    PINNED = "pinned"
    SUSPENDED = "suspended"


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that happened: `input` identifies what it happened to (a workload's name), so that it expires by itself."""

    kind: FactKind
    subject: str
    input: str
    revision: str
    at: float
    detail: str = ""

    @property
    def identity(self) -> tuple[str, str, str]:
        return (self.kind, self.subject, self.input)


@dataclass(frozen=True, slots=True)
class UnitRecord:
    """`resource_version` is None for a record that is not on the target (new, or lost).

    `namespace` is where it lies; empty: in the unit's own.
    """

    unit: UnitKey
    inventory: frozenset[ObjectKey] = frozenset()
    bases: Mapping[str, str] = field(default_factory=dict)
    facts: tuple[Fact, ...] = ()
    conditions: tuple[Condition, ...] = ()
    attempted: str = ""
    applied: str = ""
    source: str = ""
    resource_version: str | None = None
    namespace: str = ""

    @property
    def key(self) -> ObjectKey:
        """The ConfigMap that holds it."""
        return ObjectKey("ConfigMap", self.namespace or self.unit.namespace, self.unit.record_name)

    def fact(self, kind: FactKind, subject: str, input: str | None = None) -> Fact | None:
        """The newest fact of a kind about a subject, of one input or of any."""
        found = [f for f in self.facts if f.kind is kind and f.subject == subject and input in (None, f.input)]
        return max(found, key=lambda f: f.at, default=None)

    def moment(self, clock: float) -> float:
        """The unit's time: never before what is remembered, though the machine's clock may have been set back."""
        return max([clock, *(fact.at for fact in self.facts)])

    def with_facts(self, add: Iterable[Fact], drop: Iterable[Fact] = ()) -> UnitRecord:
        """A copy with facts added (same kind, subject and input: replaced) and dropped."""
        kept = {f.identity: f for f in self.facts}
        for fact in drop:
            kept.pop(fact.identity, None)
        kept.update({f.identity: f for f in add})
        return replace(self, facts=tuple(kept.values()))

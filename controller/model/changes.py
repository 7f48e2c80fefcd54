"""The plan: the difference to carry out, why the rest waits, and what to ask the data plane."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from controller.model.declared import GoldenRequest
from controller.model.diagnostics import Subject
from controller.model.identity import ObjectKey, UnitKey
from controller.model.images import ImageSpec
from controller.model.objects import Object
from controller.model.record import Fact


class Operation(StrEnum):
    """What a change does to its object; `conflict` is an object under our name that is not ours."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    UNCHANGED = "unchanged"
    CONFLICT = "conflict"


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One leaf that differs; values of environment and Secrets are masked already."""

    path: str
    old: str | None
    new: str | None


@dataclass(frozen=True, slots=True)
class Gate:
    """Why something must still wait by itself. `until` is when to look again, if a clock decides."""

    subject: Subject
    reason: str
    message: str
    until: float | None = None
    clock: bool = False
    """True for drain and keepWarm: they do not keep a revision from counting as applied."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Why something waits for a person, and the command that releases it."""

    subject: Subject
    reason: str
    message: str
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """One item of a plan: executable now.

    `desired` is the whole object to apply; deletes carry the observed `uid` and `resource_version` as preconditions,
    and so do updates of alias routes.
    """

    operation: Operation
    key: ObjectKey
    reason: str
    desired: Object | None = None
    fields: tuple[FieldChange, ...] = ()
    uid: str | None = None
    resource_version: str | None = None


@dataclass(frozen=True, slots=True)
class GoldenCheck:
    """Send these requests to `path` (the version URL); the fact that follows has `subject` and `workload` as input."""

    subject: str
    workload: str
    path: str
    requests: tuple[GoldenRequest, ...]
    timeout: float


@dataclass(frozen=True, slots=True)
class ConfirmCheck:
    """Ask the data plane until every path answers with its workload in the header; `subject` is the alias."""

    subject: str
    routes: tuple[tuple[str, str, str], ...]
    """(path, workload, version) of every route that moved together."""
    patience: float = 5.0
    """Seconds that one answer may take."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What may be carried out now, in this order: facts to the record, changes, checks. Everything else has its reason.

    `builds` are images that are missing. `wake` is when to plan again although nothing happens (seconds since the epoch).
    """

    unit: UnitKey
    revision: str
    now: float
    changes: tuple[Change, ...] = ()
    gates: tuple[Gate, ...] = ()
    holds: tuple[Hold, ...] = ()
    facts: tuple[Fact, ...] = ()
    dropped: tuple[Fact, ...] = ()
    builds: tuple[ImageSpec, ...] = ()
    golden: tuple[GoldenCheck, ...] = ()
    confirms: tuple[ConfirmCheck, ...] = ()
    inventory: frozenset[ObjectKey] = frozenset()
    warnings: tuple[str, ...] = ()
    wake: float | None = None
    unchanged: int = 0
    failures: tuple[Gate, ...] = field(default=())
    """What was given up: the unit is Degraded until a new commit or `reconcile`."""

    @property
    def is_empty(self) -> bool:
        """Nothing to carry out now; gates, holds and failures may remain."""
        return not (self.changes or self.facts or self.dropped or self.builds or self.golden or self.confirms)

    @property
    def is_settled(self) -> bool:
        """Nothing to carry out and nothing to wait for but clocks: the revision counts as applied."""
        return self.is_empty and not self.holds and not self.failures and all(g.clock for g in self.gates)

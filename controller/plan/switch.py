"""A switch: where an alias leads now, where it is to lead, and what was decided about that in this pass."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from controller.model.changes import ConfirmCheck, Gate, GoldenCheck, Hold
from controller.model.desired import AliasRoutes, Workload
from controller.model.diagnostics import Subject
from controller.model.objects import Object
from controller.model.record import Fact, FactKind
from controller.model.routes import backend_of
from controller.plan.fact_names import switch_input
from controller.plan.view import View


@dataclass(frozen=True, slots=True)
class Switch:
    """Where an alias stands: `moves` is True when all its routes may be written now.

    `target` maps endpoints to the workload that each is to lead to; `lost` are observed endpoints that the target lacks.
    """

    alias: AliasRoutes
    subject: Subject
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
    confirms: tuple[ConfirmCheck, ...] = ()

    @property
    def title(self) -> str:
        return f"{self.alias.name} → {self.version}"

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


def aim(view: View, alias: AliasRoutes) -> Switch:
    """The switch of an alias before anything is decided about it."""
    pin = _pinned_version(view, alias)
    version = pin or alias.version
    current = view.alias_routes.get(alias.name, {})
    declared = view.desired_versions.get(version, ())
    target = {w.endpoint: w for w in declared if w.endpoint in alias.routes or w.endpoint in current}
    lost = tuple(sorted(set(current) - set(target)))
    return Switch(alias, view.alias_subject(alias.name), version, pin is not None, target, current, lost)


def _pinned_version(view: View, alias: AliasRoutes) -> str | None:
    """The version that a person pinned; a commit that moves the alias elsewhere than it was then ends the pin."""
    pin = view.fact(FactKind.PINNED, alias.name)
    return pin.input if pin and pin.detail in ("", alias.version) else None

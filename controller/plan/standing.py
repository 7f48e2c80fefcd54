"""How far a workload that lost its traffic has come: leaving, draining, kept warm, done."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from controller.model.record import Fact, FactKind
from controller.model.routes import backend_of
from controller.plan.fact_names import owner_and_endpoint
from controller.plan.view import View


class Phase(IntEnum):
    """In order; a workload that several routes left stands where the latest of them does."""

    DONE = 0
    WARM = 1
    DRAINING = 2
    LEAVING = 3
    SERVING = 4


@dataclass(frozen=True, slots=True, order=True)
class Standing:
    """`until` is when the phase ends, if a clock ends it; `left_alias` whether an alias was among those that left."""

    phase: Phase
    until: float = 0.0
    left_alias: bool = False


def standing(view: View, workload: str) -> Standing:
    """Where a workload stands after what led to it went elsewhere; its version's own URL alone is no traffic to wait for."""
    if workload in view.alias_backends:
        return Standing(Phase.SERVING)
    found = [after(view, fact) for fact in view.lefts.get(workload, ())]
    if not found:
        return Standing(Phase.DONE)
    latest = max(found)
    return Standing(latest.phase, latest.until, any(s.left_alias for s in found))


def leads_version_url(view: View, workload: str) -> bool:
    """Whether the URL of a declared version leads here; that of an undeclared one goes along with its workload."""
    return workload in view.version_backends


def after(view: View, fact: Fact) -> Standing:
    """How far one `left` fact has come. Its owner is an alias, or the workload's own version."""
    owner, endpoint = owner_and_endpoint(fact.subject)
    is_alias = owner != view.version_of(fact.input)
    started = drain_started(view, fact, owner, endpoint)
    if started is None:
        return Standing(Phase.LEAVING, 0.0, is_alias)
    drained = started + view.desired.drain_seconds
    if view.now < drained:
        return Standing(Phase.DRAINING, drained, is_alias)
    warm = drained + (view.desired.rollout.keep_warm if is_alias and not view.desired.gone else 0.0)
    if view.now < warm:
        return Standing(Phase.WARM, warm, is_alias)
    return Standing(Phase.DONE, warm, is_alias)


def drain_started(view: View, fact: Fact, alias: str, endpoint: str) -> float | None:
    """When the drain clock began: with the data plane's confirmation of what came after, or None before that."""
    route = view.alias_routes.get(alias, {}).get(endpoint)
    if route is None:
        return fact.at
    confirmed = view.fact(FactKind.CONFIRMED, alias, backend_of(route))
    return max(fact.at, confirmed.at) if confirmed and confirmed.at >= fact.at else None

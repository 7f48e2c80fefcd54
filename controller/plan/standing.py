"""How far a workload that lost its traffic has come: leaving, draining, kept warm, done."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from controller.model.record import Fact, FactKind
from controller.model.routes import backend_of
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
    """Where a workload stands after what led to it went elsewhere."""
    if _serves(view, workload):
        return Standing(Phase.SERVING)
    found = [_after(view, fact) for fact in view.facts(FactKind.LEFT) if fact.input == workload]
    if not found:
        return Standing(Phase.DONE)
    latest = max(found)
    return Standing(latest.phase, latest.until, any(s.left_alias for s in found))


def _serves(view: View, workload: str) -> bool:
    if workload in view.alias_backends:
        return True
    return any(backend_of(route) == workload for key, route in view.version_routes.items() if _stays(view, key))


def _stays(view: View, key: tuple[str, str]) -> bool:
    """A route of a version that is no longer declared serves nobody on purpose: it goes along with its workload."""
    return key in view.desired.version_routes


def _after(view: View, fact: Fact) -> Standing:
    owner, _, endpoint = fact.subject.partition("/")
    is_alias = not any(version == owner for version, _ in view.desired.version_routes) or owner in view.alias_routes
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

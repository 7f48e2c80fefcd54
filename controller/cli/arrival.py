"""How far an alias has come, by its routes and its unit's record alone: nothing is planned. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from controller.cli.workload_status import Seen
from controller.health.routing import route_accepted
from controller.model import labels
from controller.model.conditions import Condition, Health
from controller.model.objects import Object, annotation
from controller.model.record import Fact, FactKind
from controller.model.routes import backend_of
from controller.plan.fact_names import for_capacity, route_subject


@dataclass(frozen=True, slots=True)
class Arrival:
    """`since` has for each endpoint the revisions at which it was known to be as git wanted it; empty: not arrived.

    `stopped` is why the alias goes nowhere by itself, as the controller's last pass saw it.
    """

    since: tuple[tuple[str, ...], ...] = ()
    stopped: str | None = None


NOT_ARRIVED = Arrival()
SUSPENDED = "Suspended"
"""The reason of `Ready` while a person keeps the whole unit as it is; the message is in the person's own words."""


def arrival(seen: Seen, alias: str, wants: str | None, endpoints: Collection[str], others: Collection[str]) -> Arrival:
    """`endpoints` are those of the version that git wants; `others` the names of the unit's other aliases and versions."""
    routes = seen.alias_routes.get(alias, {})
    since = tuple(_since(seen, alias, endpoint, route) for endpoint, route in sorted(routes.items()))
    complete = all(since) and set(endpoints) <= routes.keys()
    return Arrival(since if complete else (), _stopped(seen, alias, wants, others))


def _since(seen: Seen, alias: str, endpoint: str, route: Object) -> tuple[str, ...]:
    """The revision of the data plane's word; while no switch is under way also the one that last changed the workload."""
    workload = backend_of(route) or ""
    confirmed = seen.record.fact(FactKind.CONFIRMED, alias, workload)
    left = seen.record.fact(FactKind.LEFT, route_subject(alias, endpoint))
    if confirmed is None or route_accepted(route).health is not Health.HEALTHY:
        return ()
    if left is not None and left.input != workload and confirmed.at < left.at:
        return ()
    if _switches(seen, alias, endpoint, workload):
        return (confirmed.revision,)
    written = (annotation(obj, labels.REVISION) for obj in (seen.deployments.get(workload), route) if obj)
    return (confirmed.revision, *filter(None, written))


def _switches(seen: Seen, alias: str, endpoint: str, workload: str) -> bool:
    """Whether the alias waits for something, or another workload of its version is there that it has not left yet."""
    facts, subjects = seen.record.facts, (alias, for_capacity(alias))
    if any(f.kind in (FactKind.WAITING_SINCE, FactKind.GIVEN_UP) and f.subject in subjects for f in facts):
        return True
    left = {f.input for f in facts if f.kind is FactKind.LEFT and f.subject == route_subject(alias, endpoint)}
    version = annotation(seen.deployments.get(workload) or {}, labels.VERSION)
    return any(
        annotation(obj, labels.VERSION) == version and annotation(obj, labels.ENDPOINT) == endpoint
        for name, obj in seen.deployments.items()
        if name != workload and name not in left
    )


def _stopped(seen: Seen, alias: str, wants: str | None, others: Collection[str]) -> str | None:
    """What the record says of this alias, or of the whole unit; what it says of others alone stops nothing here."""
    own = {alias, wants or alias}
    stopped = next(stops(seen.record.conditions), None)
    if stopped and (stopped.reason == SUSPENDED or _is_about(stopped.message, own, set(others) - own)):
        return stopped.message
    return next((f"{alias}: {_words(fact)}" for fact in seen.record.facts if _ends(fact, alias, wants)), None)


def stops(conditions: Iterable[Condition]) -> Iterator[Condition]:
    """Those after which nothing happens by itself."""
    return (c for c in conditions if c.type == "Stalled" or c.reason == SUSPENDED)


def _ends(fact: Fact, alias: str, wants: str | None) -> bool:
    if fact.kind is FactKind.GIVEN_UP:
        return fact.subject == alias
    return fact.kind is FactKind.GOLDEN_FAILED and fact.subject.partition("/")[0] == wants


def _words(fact: Fact) -> str:
    if fact.kind is FactKind.GIVEN_UP:
        return f"given up {fact.detail}"
    return f"the golden requests of {fact.subject} failed: {fact.detail}"


def _is_about(text: str, own: Collection[str], others: Collection[str]) -> bool:
    return _mentions(text, own) or not _mentions(text, others)


def _mentions(text: str, names: Collection[str]) -> bool:
    """Whether one of the names stands in the text as a whole word; names may have dots and dashes in them."""
    return any(re.search(rf"(?<![\w.-]){re.escape(name)}(?![\w-]|\.\w)", text) for name in names)

"""What asks for passwords: there before any route that needs it, and gone only a while after no route does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from controller.model.changes import Gate
from controller.model.conditions import Health
from controller.model.diagnostics import Subject
from controller.model.identity import ObjectKey
from controller.model.objects import Object, at, key_of
from controller.model.record import Fact, FactKind
from controller.plan.fact_names import ACCESS
from controller.plan.view import View

GUARD_KINDS = ("Middleware", "Secret")


@dataclass(frozen=True, slots=True)
class Unguarding:
    """`free` guards may be deleted now; the others wait for the routes that they guarded."""

    free: frozenset[ObjectKey] = frozenset()
    gates: tuple[Gate, ...] = ()
    facts: tuple[Fact, ...] = ()


def is_guarded(view: View) -> bool:
    """Whether everything that has to ask for passwords is on the target, or is to be in this pass."""
    if not view.desired.guards:
        return True
    made = {key_of(obj) for obj in view.desired.shared}
    return all(key in view.owned or (key in made and key not in view.observed.objects) for key in view.desired.guards)


def guard_gate(view: View) -> Gate | None:
    """Why no route is written while that is not so."""
    if is_guarded(view):
        return None
    deployment = view.desired.unit.deployment
    text = f"{deployment}: its users are not known yet; routes that were open stay so until then, and no new one is written"
    return Gate(Subject("deployment", deployment), "UsersUnknown", text)


def unguard(view: View) -> Unguarding:
    """Guards that nothing declares any more. A gateway may learn later of a route than of what the route names.

    It has to have answered for every route, and beyond that its replicas have the time of a drain.
    """
    old = sorted(key for key in view.owned if key.kind in GUARD_KINDS and key not in view.desired.guards)
    if not old or any(_refers(obj, key) for obj in _referring(view) for key in old):
        return Unguarding()
    since = view.fact(FactKind.WAITING_SINCE, ACCESS, old[0].name)
    if since is None:
        begun = view.new_fact(FactKind.WAITING_SINCE, ACCESS, old[0].name)
        return Unguarding(gates=(_drain_gate(view, view.now + view.desired.drain_seconds),), facts=(begun,))
    until = since.at + view.desired.drain_seconds
    if view.now < until:
        return Unguarding(gates=(_drain_gate(view, until),))
    if any(_is_unanswered(view, obj) for obj in _referring(view) if obj["kind"] == "HTTPRoute"):
        return Unguarding(gates=(_drain_gate(view, None),))
    return Unguarding(free=frozenset(old))


def unguarding(view: View) -> Iterator[tuple[str, str]]:
    """Subject and input of the wait that `unguard` begins, while there is something to wait for."""
    yield from ((ACCESS, key.name) for key in view.owned if key.kind in GUARD_KINDS and key not in view.desired.guards)


def _is_unanswered(view: View, route: Object) -> bool:
    """Whether the gateway may still serve an earlier generation of the route, which named what is to go."""
    return view.acceptance(route).health is Health.PROGRESSING


def _drain_gate(view: View, until: float | None) -> Gate:
    deployment = view.desired.unit.deployment
    text = f"{deployment}: what asked for passwords stays until every gateway has the routes without it"
    return Gate(Subject("deployment", deployment), "Draining", text, until, clock=True)


def _referring(view: View) -> Iterator[Object]:
    return (obj for key, obj in view.owned.items() if key.kind in ("HTTPRoute", "SecurityPolicy"))


def _refers(obj: Object, guard: ObjectKey) -> bool:
    """Envoy's policies name the Secret alone; Traefik's routes name the Middleware, and that the Secret."""
    if obj["kind"] == "SecurityPolicy":
        return guard.kind == "Secret"
    return any(f.get("type") == "ExtensionRef" for f in at(obj, "spec", "rules", 0, "filters", default=()))

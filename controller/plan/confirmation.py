"""The data plane's word: a move has happened when the gateway answers with the workload that its routes now name."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from controller.model import labels
from controller.model.changes import ConfirmCheck, Gate
from controller.model.desired import Workload
from controller.model.objects import annotation
from controller.model.record import FactKind
from controller.plan.acceptance import made_at, refusal
from controller.plan.fact_names import route_subject
from controller.plan.switch import Switch
from controller.plan.view import View

_PATIENCE = (5.0, 120.0)
"""Seconds, at least and at most, that an answer may take: a server that is busy answers after the requests before this one."""


def confirm_move(view: View, switch: Switch) -> Switch:
    """Settle a switch whose routes are in place, or ask for the answers that it still lacks."""
    alias = switch.alias.name
    pending = {e: w.name for e, w in switch.target.items() if _is_unconfirmed(view, alias, e, w.name)}
    if not pending:
        return replace(switch, settled=True)
    until = _until(view, switch, pending)
    if refused := sorted(e for e in pending if not view.accepted(switch.current[e])):
        words = next(filter(None, (refusal(view, switch.current[e]) for e in refused)), "")
        text = f"{alias}: the gateway has not accepted the route of {', '.join(refused)}" + (f": {words}" if words else "")
        return _overdue(view, replace(switch, gates=(Gate(switch.subject, "RouteNotAccepted", text, until),)))
    return _overdue(view, _asking(view, switch, pending, f"{switch.title}: asking the data plane", until))


def confirm_previous(view: View, switch: Switch) -> Switch | None:
    """A newer switch waits until the drain clock of the one before it has started; None where none is open."""
    text = f"{switch.alias.name}: the switch before this one is still being confirmed"
    pending = _previous(view, switch)
    return _asking(view, switch, pending, text) if pending else None


def has_served(view: View, switch: Switch, workload: Workload) -> bool:
    """Whether the alias has led to this workload before: golden requests and the hold are skipped then."""
    return view.fact(FactKind.CONFIRMED, switch.alias.name, workload.name) is not None


def _previous(view: View, switch: Switch) -> dict[str, str]:
    """Endpoints still at a move that nobody confirmed, and where they lead."""
    pending = {}
    for endpoint in switch.current:
        old = switch.old(endpoint)
        left = view.fact(FactKind.LEFT, route_subject(switch.alias.name, endpoint))
        interrupted = left is not None and left.input == old
        aimed = switch.target.get(endpoint)
        if old and left and not interrupted and not (aimed and aimed.name == old):
            over = view.now >= left.at + view.desired.rollout.deadline
            if not over and _is_unconfirmed(view, switch.alias.name, endpoint, old):
                pending[endpoint] = old
    return pending


def _until(view: View, switch: Switch, pending: Iterable[str]) -> float | None:
    """When the data plane should have answered: so long after the move, or after the route was made."""
    lefts = (view.fact(FactKind.LEFT, route_subject(switch.alias.name, endpoint)) for endpoint in pending)
    moved = [fact.at for fact in lefts if fact] or [t for e in pending if (t := made_at(switch.current[e])) is not None]
    return max(moved) + view.desired.rollout.deadline if moved else None


def _overdue(view: View, switch: Switch) -> Switch:
    """Past its time a move that nobody confirmed is a failure. It is asked for on, and what it left does not end before."""
    (gate,) = switch.gates
    if gate.until is None or view.now < gate.until:
        return switch
    late = f"no answer after {view.desired.rollout.deadline:g} s, so what served before is not stopped"
    return replace(switch, gates=(), failures=(Gate(switch.subject, "NotConfirmed", f"{gate.message}; {late}"),))


def _is_unconfirmed(view: View, alias: str, endpoint: str, workload: str) -> bool:
    """Whether the route was moved to `workload` and the data plane has not yet answered with it."""
    left = view.fact(FactKind.LEFT, route_subject(alias, endpoint))
    confirmed = view.fact(FactKind.CONFIRMED, alias, workload)
    return confirmed is None or (left is not None and left.input != workload and confirmed.at < left.at)


def _asking(view: View, switch: Switch, pending: Mapping[str, str], text: str, until: float | None = None) -> Switch:
    paths = sorted((annotation(switch.current[e], labels.PATH) or "", w, view.version_of(w)) for e, w in pending.items())
    check = ConfirmCheck(switch.alias.name, tuple(paths), _patience(view, pending.values()))
    return replace(switch, gates=(Gate(switch.subject, "Confirming", text, until),), confirms=(check,))


def _patience(view: View, workloads: Collection[str]) -> float:
    """As long as the slowest of their endpoints may take for any request, within bounds."""
    timeouts = (w.timeout for w in view.desired.workloads.values() if w.name in workloads)
    shortest, longest = _PATIENCE
    return min(max((shortest, *timeouts)), longest)

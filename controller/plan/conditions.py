"""A plan's outcome as conditions: Ready always, Reconciling and Stalled only while true (kstatus)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from controller.model.changes import Gate, Plan
from controller.model.conditions import Condition
from controller.plan.grouping import grouped

_MOST = 3


def conditions_after(plan: Plan, previous: Iterable[Condition], now: float) -> tuple[Condition, ...]:
    """The conditions that a plan justifies; one whose status did not change keeps its `since`."""
    known = {c.type: c for c in previous}
    waits = [gate for gate in grouped(plan.gates) if not gate.clock]
    wanted = [_ready(plan, waits)]
    if waits or not plan.is_empty:
        wanted.append(("Reconciling", "True", waits[0].reason if waits else "Progressing", _words(g.message for g in waits)))
    if plan.holds:
        wanted.append(("Stalled", "True", plan.holds[0].reason, _words(h.message for h in plan.holds)))
    elif plan.failures:
        wanted.append(("Stalled", "True", plan.failures[0].reason, _words(f.message for f in grouped(plan.failures))))
    return tuple(_kept(Condition(*item, since=now), known.get(item[0])) for item in wanted)


def _ready(plan: Plan, waits: Sequence[Gate]) -> tuple[str, str, str, str]:
    if plan.failures:
        return "Ready", "False", plan.failures[0].reason, _words(f.message for f in grouped(plan.failures))
    if plan.holds:
        return "Ready", "False", plan.holds[0].reason, _words(h.message for h in plan.holds)
    if plan.is_settled:
        return "Ready", "True", "Applied", "everything declared is as declared"
    if waits and waits[0].reason == "Suspended":
        return "Ready", "Unknown", "Suspended", waits[0].message
    return "Ready", "Unknown", "Reconciling", _words(g.message for g in waits) or "changes are being carried out"


def _kept(new: Condition, old: Condition | None) -> Condition:
    if old is None or old.status != new.status:
        return new
    return Condition(new.type, new.status, new.reason, new.message, old.since)


def _words(messages: Iterable[str]) -> str:
    texts = list(messages)
    more = f" (and {len(texts) - _MOST} more)" if len(texts) > _MOST else ""
    return "; ".join(texts[:_MOST]) + more

"""A plan as people and programs read it: text, markdown, JSON; and the fingerprint that says two are the same."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from controller.model.changes import Change, Gate, Hold, Operation, Plan
from controller.model.identity import content_hash
from controller.model.objects import Object, applied_hash
from controller.model.record import Fact
from controller.plan.grouping import grouped

_MOST_FIELDS = 8
_SIGNS = {Operation.CREATE: "+", Operation.UPDATE: "~", Operation.DELETE: "-"}


def fingerprint(plan: Plan) -> str:
    """The same changes, gates and holds give the same 16 hex digits, whenever they were computed."""
    document = to_json(plan)
    for clock in ("now", "wake", "fingerprint", "revision"):
        document.pop(clock, None)
    document["gates"] = [{k: v for k, v in gate.items() if k != "until"} for gate in document["gates"]]
    for memory in ("facts", "dropped"):
        document[memory] = sorted([fact["kind"], fact["subject"], fact["input"]] for fact in document[memory])
    for change, shown in zip(plan.changes, document["changes"], strict=True):
        shown.pop("resourceVersion", None)
        shown["desired"] = change.desired and applied_hash(change.desired)
    return content_hash(document, 16)


def to_json(plan: Plan) -> dict[str, Any]:
    """The whole plan as plain data; docs/reference/plan.md names every key."""
    return {
        "unit": str(plan.unit),
        "revision": plan.revision,
        "now": plan.now,
        "changes": [_change_json(change) for change in plan.changes],
        "unchanged": plan.unchanged,
        "builds": [{"key": spec.key, "base": spec.base, "repository": spec.repository} for spec in plan.builds],
        "gates": [_gate_json(gate) for gate in plan.gates],
        "failures": [_gate_json(gate) for gate in plan.failures],
        "holds": [_hold_json(hold) for hold in plan.holds],
        "golden": [{"subject": g.subject, "workload": g.workload, "path": g.path} for g in plan.golden],
        "confirms": [{"alias": c.subject, "routes": [list(route) for route in c.routes]} for c in plan.confirms],
        "facts": [_fact_json(fact) for fact in plan.facts],
        "dropped": [_fact_json(fact) for fact in plan.dropped],
        "warnings": list(plan.warnings),
        "wake": plan.wake,
    }


def to_text(plan: Plan, *, verbose: bool = False) -> str:
    """The plan for a terminal: what changes, what waits and why, what waits for a person and the command for it."""
    head = f"{plan.unit} at {plan.revision}: {summary(plan)}"
    return "\n".join([head, *(f"  {line}" for line in _lines(plan, verbose=verbose))]) + "\n"


def to_markdown(plan: Plan) -> str:
    """The plan for a pull request. What an endpoint or a file says in it cannot end the block that it stands in."""
    title = f"### {plan.unit}: {summary(plan)}\n"
    body = "\n".join(_lines(plan, verbose=False))
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", body)), default=0))
    return f"{title}\n{fence}diff\n{body}\n{fence}\n" if body else title


def summary(plan: Plan) -> str:
    """One line: counts by operation, and what else there is."""
    counts = {op: sum(c.operation is op for c in plan.changes) for op in _SIGNS}
    parts = [f"{count} to {op}" for op, count in counts.items() if count]
    parts += [f"{len(items)} {word}" for items, word in _others(plan) if items]
    return ", ".join(parts) or f"nothing to do ({plan.unchanged} objects unchanged)"


def _others(plan: Plan) -> tuple[tuple[tuple[Any, ...], str], ...]:
    waits = tuple(gate for gate in grouped(plan.gates) if not gate.clock)
    return (plan.builds, "to build"), (waits, "waiting"), (grouped(plan.failures), "failed"), (plan.holds, "held")


def _lines(plan: Plan, *, verbose: bool) -> Iterator[str]:
    for line in _items(plan, verbose=verbose):
        yield "".join(c if c.isprintable() else " " for c in line)


def _items(plan: Plan, *, verbose: bool) -> Iterator[str]:
    for spec in plan.builds:
        yield f"+ image {spec.repository}:{spec.tag[:14]} on {spec.base}"
    for change in plan.changes:
        yield f"{_SIGNS[change.operation]} {change.key.kind} {change.key.name}  {change.reason}".rstrip()
        yield from _fields(change, len(change.fields) if verbose else _MOST_FIELDS)
    yield from (f"… {gate.message}" for gate in grouped(plan.gates))
    yield from (f"! {failure.message}" for failure in grouped(plan.failures))
    for hold in plan.holds:
        yield f"# held: {hold.message}"
        if hold.hint:
            yield f"    hint: {hold.hint}"
    yield from (f"! warning: {warning}" for warning in plan.warnings)


def _fields(change: Change, most: int) -> Iterator[str]:
    for item in change.fields[:most]:
        old, new = ("(absent)" if value is None else value for value in (item.old, item.new))
        yield f"    {item.path}: {old} → {new}"
    if len(change.fields) > most:
        yield f"    and {len(change.fields) - most} more fields"


def _change_json(change: Change) -> dict[str, Any]:
    return {
        "operation": change.operation.value,
        "object": str(change.key),
        "reason": change.reason,
        "fields": [{"path": f.path, "old": f.old, "new": f.new} for f in change.fields],
        "desired": _shown(change.desired) if change.desired is not None else None,
        "uid": change.uid,
        "resourceVersion": change.resource_version,
    }


def _shown(obj: Object) -> dict[str, Any]:
    """An object without the values of a Secret."""
    hidden = {part: dict.fromkeys(obj[part], "***") for part in ("data", "stringData") if part in obj}
    return {**obj, **hidden} if obj["kind"] == "Secret" else dict(obj)


def _gate_json(gate: Gate) -> dict[str, Any]:
    said = {"subject": str(gate.subject), "reason": gate.reason, "message": gate.message}
    return {**said, "until": gate.until, "clock": gate.clock}


def _fact_json(fact: Fact) -> dict[str, Any]:
    return {"kind": fact.kind.value, "subject": fact.subject, "input": fact.input, "at": fact.at, "detail": fact.detail}


def _hold_json(hold: Hold) -> dict[str, Any]:
    return {"subject": str(hold.subject), "reason": hold.reason, "message": hold.message, "hint": hold.hint}

"""PURE: the conditions of a unit whose changes are refused: they are written too, not only those of a plan that is done."""

from __future__ import annotations

from collections.abc import Iterable

from controller.model.conditions import Condition
from controller.model.errors import PointsmanError, Stalled


def conditions_of_failure(key: str, error: PointsmanError, previous: Iterable[Condition], now: float) -> tuple[Condition, ...]:
    """What a refused write says of the unit; a condition whose status did not change keeps its `since`."""
    known = {condition.type: condition for condition in previous}
    message = f"{key}: {error.message}" + (f" ({error.hint})" if error.hint else "")
    reason = "WriteRefused" if isinstance(error, Stalled) else f"Write{error.reason}"
    also = "Stalled" if isinstance(error, Stalled) else "Reconciling"
    return tuple(
        Condition(kind, status, reason, message, known[kind].since if _stays(known.get(kind), status) else now)
        for kind, status in (("Ready", "False"), (also, "True"))
    )


def _stays(before: Condition | None, status: str) -> bool:
    return before is not None and before.status == status

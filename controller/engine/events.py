"""What a pass did, as events for `history`: in the words of the plan."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from controller.engine.apply import ApplyResult
from controller.engine.drift import Drift
from controller.model.changes import Operation, Plan
from controller.model.record import Fact, FactKind

_TOLD = {
    FactKind.CONFIRMED: "confirmed",
    FactKind.GIVEN_UP: "given-up",
    FactKind.GOLDEN_FAILED: "golden-failed",
    FactKind.GOLDEN_PASSED: "golden-passed",
}


def events_of(
    made: Plan, result: ApplyResult, answers: Iterable[Fact], put_back: Iterable[Drift] = ()
) -> Iterator[dict[str, object]]:
    """One event per object that was written, per edit or deletion by others that was undone, and per fact worth hearing of."""
    for change in result.done:
        if change.key.kind == "HTTPRoute" or change.operation is not Operation.UPDATE:
            yield _event(made, change.operation.value, str(change.key), change.reason)
    for drift in put_back:
        yield _event(made, "recreated" if drift.is_deletion else "corrected", str(drift.key), str(drift))
    for failure in result.failed:
        yield _event(made, "failed", str(failure.change.key), str(failure.error))
    told = ((_TOLD[f.kind], f.subject, f.detail or f.input) for f in (*answers, *made.facts) if f.kind in _TOLD)
    for event in dict.fromkeys(told):  # an alias has a fact for each endpoint, which may say the same
        yield _event(made, *event)


def _event(made: Plan, kind: str, subject: str, message: str) -> dict[str, object]:
    return {"at": made.now, "revision": made.revision, "event": kind, "subject": subject, "message": message}

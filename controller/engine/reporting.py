"""What a pass did, told to people: as history, as Kubernetes Events and in the log. Losing it changes nothing."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from controller.engine.announce import Announcer, Told
from controller.engine.apply import ApplyResult
from controller.engine.drift import Drift
from controller.engine.events import events_of
from controller.engine.happenings import Happening, of_conditions, of_drifts, of_facts
from controller.engine.planning import UnitWork
from controller.model.changes import Plan
from controller.model.conditions import Condition
from controller.model.identity import ObjectKey, UnitKey
from controller.model.objects import Object, key_of
from controller.model.ports import HistoryStore
from controller.model.record import Fact

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Report:
    """One pass: what was planned and done, what somebody else had changed, and the conditions before and after."""

    plan: Plan
    result: ApplyResult
    answers: tuple[Fact, ...]
    drifts: tuple[Drift, ...]
    before: tuple[Condition, ...]
    after: tuple[Condition, ...]


class Reporter:
    """`announcer` is None on targets that have no Events: their history is kept beside the controller."""

    def __init__(self, history: HistoryStore, announcer: Announcer | None) -> None:
        self._history = history
        self._announcer = announcer

    def tell(self, work: UnitWork, report: Report) -> None:
        done = {change.key for change in report.result.done}
        put_back = tuple(drift for drift in report.drifts if drift.key in done)
        for drift in put_back:
            _log.warning("%s of %s: %s", drift.key, work.unit, drift)
        try:
            for event in events_of(report.plan, report.result, report.answers, put_back):
                self._history.append(str(work.unit), event)
        except OSError as error:
            _log.warning("the history of %s cannot be written: %s", work.unit, error)
        if self._announcer:
            self._announce(self._announcer, work, report, put_back)

    def tell_image_gone(self, unit: UnitKey, record: Object | None, tag: str, message: str) -> None:
        """An image of the unit's project was deleted from its registry."""
        event = {"at": time.time(), "revision": "", "event": "image-deleted", "subject": tag, "message": message}
        try:
            self._history.append(str(unit), event)
        except OSError as error:
            _log.warning("the history of %s cannot be written: %s", unit, error)
        if self._announcer and record:
            happening = Happening("ImageDeleted", f"{tag}: {message}")
            self._announcer.tell(Told(happening, key_of(record), str(record["metadata"].get("uid", ""))))

    def _announce(self, announcer: Announcer, work: UnitWork, report: Report, put_back: tuple[Drift, ...]) -> None:
        objects = work.cache.of_unit(work.unit.hash)
        record = work.cache.record(work.unit.hash)
        for happening in _happenings(report, put_back, objects):
            about = objects.get(happening.about) if happening.about else record
            for obj in filter(None, {id(o): o for o in (about, record)}.values()):
                announcer.tell(Told(happening, key_of(obj), str(obj["metadata"].get("uid", ""))))


def _happenings(report: Report, put_back: tuple[Drift, ...], objects: Mapping[ObjectKey, Object]) -> Iterator[Happening]:
    yield from of_conditions(report.before, report.after)
    yield from of_facts((*report.answers, *report.plan.facts), objects)
    yield from of_drifts(put_back)

"""One pass over one unit: gather, plan, remember, carry out, ask. It may run at any time and be killed anywhere."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from controller.engine.apply import ApplyResult, Writer, apply_changes
from controller.engine.builds import RETRY, Builds
from controller.engine.concerning import Concerning
from controller.engine.corrections import Corrections
from controller.engine.desire import Desire
from controller.engine.drift import drifts
from controller.engine.failing import conditions_of_failure
from controller.engine.observe import cached_record
from controller.engine.planning import REFUSED, PlannedUnit, UnitWork, plan_unit
from controller.engine.questions import Questions
from controller.engine.reporting import Report, Reporter
from controller.engine.retry import RESYNC
from controller.engine.secrets import MISSING_POLL, USERS_POLL
from controller.engine.sight import GATEWAY_GOOD_FOR, ROOMS_GOOD_FOR
from controller.engine.sources import Publication
from controller.engine.steps import Observer, Step
from controller.model.changes import Operation, Plan
from controller.model.conditions import Condition
from controller.model.desired import DesiredState
from controller.model.errors import PointsmanError
from controller.model.identity import UnitKey
from controller.model.images import Image
from controller.model.record import Fact, UnitRecord
from controller.model.source import commit_in
from controller.plan.conditions import conditions_after
from controller.state.records import Records

_POLLS = {
    "SecretMissing": MISSING_POLL,
    "ImageMissing": RETRY,
    "WaitingForCapacity": ROOMS_GOOD_FOR,
    "DoesNotFit": ROOMS_GOOD_FOR,
    "RouteNotAccepted": GATEWAY_GOOD_FOR,
    "NotConfirmed": GATEWAY_GOOD_FOR,
    "UsersUnknown": MISSING_POLL,
    "ForeignObject": RETRY,
    REFUSED: USERS_POLL,
}
"""Seconds until a gate is looked at that nobody tells of: for an image that is when its failed build may be tried again."""


@dataclass(frozen=True, slots=True)
class PassResult:
    """The plan of a pass, what became of it, when to look again (seconds) if nothing failed, and what it was planned for."""

    plan: Plan
    applied: ApplyResult
    again: float
    publication: Publication

    @property
    def error(self) -> PointsmanError | None:
        """The first change that the target refused."""
        return next((r.error for r in self.applied.failed), None)


class Passes:
    """Runs passes over units; nothing that matters is kept here between two of them."""

    def __init__(self, builds: Builds, reporter: Reporter, observer: Observer, enqueue: Callable[[UnitKey], None]) -> None:
        self._desire = Desire(builds)
        self._reporter = reporter
        self._observer = observer
        self._questions = Questions(builds, observer, enqueue)
        self._corrections = Corrections()
        self._concerning = Concerning()

    def run(self, work: UnitWork) -> PassResult:
        """One pass. Raises what ended it (Conflict: look again at once); the record says how far it came."""
        stored = cached_record(work.cache, work.unit)
        if stored.resource_version is None:
            stored = replace(stored, namespace=work.namespace)
        answers = self._questions.answers(work.unit, stored)
        planned = _after_its_namespace(work, plan_unit(work, self._desire, stored.with_facts(answers), time.time()))
        made = planned.plan
        self._observer(Step.PLANNED)
        record = self._remember(work, stored, planned, answers)
        put_back = tuple(drifts(made.changes, planned.objects, stored.inventory & work.cache.lost()))
        result = apply_changes(made, Writer(work.target, work.cache, self._corrections, self._observer))
        closed = self._close(work, record, made, result, is_news=stored.attempted != record.attempted)
        self._questions.ask(work, made, closed.bases, planned.desired)
        self._reporter.tell(work, Report(made, result, answers, put_back, stored.conditions, closed.conditions))
        return PassResult(made, result, self._again(work, made), work.publication)

    def is_recorded(self, publication: Publication, record: UnitRecord) -> bool:
        """Whether another process has carried out a publication, as far as it concerns the record's unit."""
        is_ready = any(c.type == "Ready" and c.status == "True" for c in record.conditions)
        is_its_own = record.source == publication.origin and bool(commit_in(record.applied))
        return is_ready and is_its_own and not self._concerning.has_news(publication, record.unit.deployment, record.applied)

    def close(self) -> None:
        self._questions.close()

    def _remember(self, work: UnitWork, stored: UnitRecord, planned: PlannedUnit, answers: tuple[Fact, ...]) -> UnitRecord:
        """Write what the changes rely on, before them; without changes, how the unit is. Nothing new costs no write.

        Of a unit that has and gets nothing on the target there is no record: one that just went would come back for ever.
        """
        made = planned.plan
        if made.is_empty and not made.inventory and (stored.resource_version is None or _is_over(work, stored, made)):
            return stored
        bases = {**_bases(planned.desired), **stored.bases}
        wanted = replace(stored.with_facts((*answers, *made.facts), made.dropped), inventory=made.inventory, bases=bases)
        if not made.changes:
            wanted = replace(wanted, conditions=conditions_after(made, stored.conditions, made.now))
        named = replace(wanted, attempted=made.revision, source=work.publication.origin)
        if _same(wanted, stored) and not self._is_worth_a_write(work, planned, stored):
            return named if made.changes else stored
        written = self._write(work, replace(named, applied=made.revision if made.is_settled else stored.applied))
        self._questions.written(work.unit, answers)
        self._observer(Step.RECORD_WRITTEN)
        return written

    def _is_worth_a_write(self, work: UnitWork, planned: PlannedUnit, stored: UnitRecord) -> bool:
        """Whether a record that stays as it is has to name another revision: one that concerns the unit's files, and its end.

        Somebody may wait for it. Updates that rely on nothing new in the record go first: one write names their revision
        when they are done or refused, and after a crash in between the next pass finds them done. A commit that concerns
        other units costs this one no write.
        """
        made = planned.plan
        if made.changes:
            is_relied_on = any(change.operation is not Operation.UPDATE for change in made.changes)
            return is_relied_on and stored.attempted != made.revision
        if self._has_news(work, stored.attempted):
            return True
        is_carried_out = stored.attempted == made.revision != stored.applied
        is_ahead = is_carried_out or _is_off_the_line(planned, stored) or self._has_news(work, stored.applied)
        return made.is_settled and is_ahead

    def _has_news(self, work: UnitWork, since: str) -> bool:
        return self._concerning.has_news(work.publication, work.unit.deployment, since)

    def _close(self, work: UnitWork, record: UnitRecord, made: Plan, result: ApplyResult, *, is_news: bool) -> UnitRecord:
        """Strike from the inventory what is gone, say what is refused; the record itself goes last, when nothing is left.

        `is_news`: its revision is not written down yet, which a refusal cannot wait for.
        """
        self._observer(Step.CHANGES_APPLIED)
        gone = {change.key for change in result.done if change.operation is Operation.DELETE}
        closed = replace(record, inventory=record.inventory - gone, conditions=_conditions(record, made, result))
        is_over = not (closed.inventory or work.is_declared) and (made.is_settled or bool(gone)) and not result.failed
        if is_over and record.resource_version:
            Records(work.target.client).delete(record)
            work.cache.forget(record.key)
        elif not _same(closed, record) or (is_news and result.failed):
            self._write(work, closed)
        self._observer(Step.RECORD_CLOSED)
        return closed

    def _write(self, work: UnitWork, record: UnitRecord) -> UnitRecord:
        return Records(work.target.client, work.cache.note).write(record)

    def _again(self, work: UnitWork, made: Plan) -> float:
        if made.changes or made.facts or made.dropped:
            return 0.0
        polls = [_POLLS[gate.reason] for gate in (*made.gates, *made.failures) if gate.reason in _POLLS]
        longest = min(polls, default=USERS_POLL if _is_guarded(work) else RESYNC)
        return longest if made.wake is None else min(max(made.wake - time.time(), 0.05), longest)


def _after_its_namespace(work: UnitWork, planned: PlannedUnit) -> PlannedUnit:
    """The plan without its first step, which is done: the record has to lie somewhere."""
    made = planned.plan
    missing = [c for c in made.changes if c.key.kind == "Namespace" and c.operation is Operation.CREATE]
    for change in missing:
        work.sight.namespaces.provide(change)
    left = tuple(change for change in made.changes if change not in missing)
    return replace(planned, plan=replace(made, changes=left)) if missing else planned


def _conditions(record: UnitRecord, made: Plan, result: ApplyResult) -> tuple[Condition, ...]:
    """As they are in the record, unless something was refused now."""
    failed = next(iter(result.failed), None)
    if failed is None or failed.error is None:
        return record.conditions
    return conditions_of_failure(str(failed.change.key), failed.error, record.conditions, made.now)


def _is_guarded(work: UnitWork) -> bool:
    """Whether the unit's routes have a copy of a Secret that nobody watches."""
    found = work.publication.declared.deployments.get(work.unit.deployment)
    return bool(found and found.basic_auth and work.is_declared and work.target.profile.kind != "embedded")


def _bases(desired: DesiredState | None) -> dict[str, str]:
    """What each base image was when the unit's images were built."""
    built = ((workload.spec.base, workload.image) for workload in desired.workloads.values()) if desired else ()
    return {base: image.base_digest for base, image in built if isinstance(image, Image) and image.base_digest}


def _is_over(work: UnitWork, stored: UnitRecord, made: Plan) -> bool:
    """Whether nothing is left of a unit that is not to be here: its record goes next."""
    return made.is_settled and not (work.is_declared or stored.inventory)


def _is_off_the_line(planned: PlannedUnit, stored: UnitRecord) -> bool:
    """Whether the applied revision cannot be compared with the next one: there is none, or history was rewritten since."""
    return not stored.applied or (planned.desired is not None and planned.desired.rewritten)


def _same(wanted: UnitRecord, stored: UnitRecord) -> bool:
    alike = wanted.inventory == stored.inventory and wanted.conditions == stored.conditions
    return alike and wanted.bases == stored.bases and set(wanted.facts) == set(stored.facts)

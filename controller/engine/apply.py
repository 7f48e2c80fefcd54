"""Carry out a plan's changes: one result per object, and nothing that relies on a failed one."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass

from controller.engine.cache import TargetCache
from controller.engine.corrections import Corrections
from controller.engine.steps import Observer, Step
from controller.engine.targets import RESTING, Target
from controller.model import labels
from controller.model.changes import Change, Operation, Plan
from controller.model.errors import Conflict, PointsmanError, Waiting
from controller.model.objects import Object, annotation
from controller.model.ports import ClusterClient
from controller.plan.guard import GUARD_KINDS

_GUARDED_KINDS = ("HTTPRoute", "SecurityPolicy")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ObjectResult:
    """What became of one change; `error` None means done."""

    change: Change
    error: PointsmanError | None = None
    skipped: bool = False


@dataclass(frozen=True, slots=True)
class ApplyResult:
    """The results in the order of the plan."""

    results: tuple[ObjectResult, ...]

    @property
    def failed(self) -> tuple[ObjectResult, ...]:
        return tuple(r for r in self.results if r.error)

    @property
    def done(self) -> tuple[Change, ...]:
        return tuple(r.change for r in self.results if not r.error and not r.skipped)


@dataclass(frozen=True, slots=True)
class Writer:
    """What changes are written with, to which target."""

    target: Target
    cache: TargetCache
    corrections: Corrections
    observer: Observer


def apply_changes(plan: Plan, writer: Writer) -> ApplyResult:
    """Write in the plan's order. After a failure nothing of the same workload or alias follows, and nothing is deleted.

    What asks for passwords concerns every route: where it could not be made, a route that names it would answer nobody.
    Raises Conflict when somebody else wrote one of the objects: the pass has to look again. Raises Waiting when this process
    does not lead any more: what is left is for whoever does, and may be wrong by now.
    """
    return ApplyResult(tuple(_results(plan, writer)))


def _results(plan: Plan, writer: Writer) -> Iterator[ObjectResult]:
    failed: set[str] = set()
    is_guardless = False
    for change in plan.changes:
        group = _group(change)
        relies = group in failed or (failed and change.operation is Operation.DELETE)
        if relies or (is_guardless and change.key.kind in _GUARDED_KINDS):
            yield ObjectResult(change, skipped=True)
            continue
        _check_lead(writer.target)
        try:
            writer.corrections.check(change, writer.cache.get(plan.unit.hash, change.key))
            _carry_out(change, writer.target.client, writer.cache)
            writer.corrections.note(change)
        except Conflict:
            raise
        except PointsmanError as error:
            _log.warning("%s %s: %s", change.operation, change.key, error.message)
            failed.add(group)
            is_guardless |= change.operation is Operation.CREATE and change.key.kind in GUARD_KINDS
            yield ObjectResult(change, error)
        else:
            writer.observer(_step(change))
            yield ObjectResult(change)


def _check_lead(target: Target) -> None:
    if not target.leads():
        raise Waiting(f"this process does not lead target {target.name} any more", after=RESTING)


def _carry_out(change: Change, client: ClusterClient, cache: TargetCache) -> None:
    if change.operation is Operation.DELETE:
        client.delete(change.key, uid=change.uid, resource_version=change.resource_version)
        cache.forget(change.key)
        return
    try:
        cache.note(client.apply(_with_expectations(change)))
    except Conflict:
        if change.operation is Operation.CREATE:
            cache.suspect(change.key)
        raise


def _with_expectations(change: Change) -> Object:
    """The object as it is sent. What is created must not be there: somebody else may have used the name since.

    What is updated must be the one that was seen: a request that arrives late makes nothing again that was deleted since.
    """
    desired = change.desired or {}
    is_new = change.operation is Operation.CREATE
    expected = {"uid": None if is_new else change.uid, "resourceVersion": "" if is_new else change.resource_version}
    given = {name: value for name, value in expected.items() if value is not None}
    return {**desired, "metadata": {**desired.get("metadata", {}), **given}}


def _group(change: Change) -> str:
    alias = annotation(change.desired, labels.ALIAS) if change.desired else None
    return f"alias/{alias}" if alias else change.key.name


def _step(change: Change) -> Step:
    if change.operation is Operation.DELETE:
        return Step.OBJECT_DELETED
    if change.key.kind == "HTTPRoute" and change.desired:
        return Step.ALIAS_ROUTE_APPLIED if annotation(change.desired, labels.ALIAS) else Step.VERSION_ROUTE_APPLIED
    return Step.WORKLOAD_APPLIED if change.key.kind == "Deployment" else Step.OBJECT_APPLIED

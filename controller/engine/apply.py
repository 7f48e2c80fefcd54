"""Carry out a plan's changes: one result per object, and nothing that relies on a failed one."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass

from controller.engine.cache import TargetCache
from controller.engine.corrections import Corrections
from controller.engine.steps import Observer, Step
from controller.model import labels
from controller.model.changes import Change, Operation, Plan
from controller.model.errors import Conflict, PointsmanError
from controller.model.objects import annotation
from controller.model.ports import ClusterClient

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
    """What changes are written with."""

    client: ClusterClient
    cache: TargetCache
    corrections: Corrections
    observer: Observer


def apply_changes(plan: Plan, writer: Writer) -> ApplyResult:
    """Write in the plan's order. After a failure nothing of the same workload or alias follows, and nothing is deleted.

    Raises Conflict when somebody else wrote one of the objects: the pass has to look again.
    """
    return ApplyResult(tuple(_results(plan, writer)))


def _results(plan: Plan, writer: Writer) -> Iterator[ObjectResult]:
    failed: set[str] = set()
    for change in plan.changes:
        group = _group(change)
        if group in failed or (failed and change.operation is Operation.DELETE):
            yield ObjectResult(change, skipped=True)
            continue
        try:
            writer.corrections.check(change, writer.cache.get(plan.unit.hash, change.key))
            _carry_out(change, writer.client, writer.cache)
            writer.corrections.note(change)
        except Conflict:
            raise
        except PointsmanError as error:
            _log.warning("%s %s: %s", change.operation, change.key, error.message)
            failed.add(group)
            yield ObjectResult(change, error)
        else:
            writer.observer(_step(change))
            yield ObjectResult(change)


def _carry_out(change: Change, client: ClusterClient, cache: TargetCache) -> None:
    if change.operation is Operation.DELETE:
        client.delete(change.key, uid=change.uid, resource_version=change.resource_version)
        cache.forget(change.key)
        return
    desired = dict(change.desired or {})
    expected = _expected_version(change)
    if expected is not None:
        desired["metadata"] = {**desired["metadata"], "resourceVersion": expected}
    try:
        cache.note(client.apply(desired))
    except Conflict:
        if change.operation is Operation.CREATE:
            cache.suspect(change.key)
        raise


def _expected_version(change: Change) -> str | None:
    """What is created must not be there: somebody else may have used the name since."""
    return "" if change.operation is Operation.CREATE else change.resource_version


def _group(change: Change) -> str:
    alias = annotation(change.desired, labels.ALIAS) if change.desired else None
    return f"alias/{alias}" if alias else change.key.name


def _step(change: Change) -> Step:
    if change.operation is Operation.DELETE:
        return Step.OBJECT_DELETED
    if change.key.kind == "HTTPRoute" and change.desired:
        return Step.ALIAS_ROUTE_APPLIED if annotation(change.desired, labels.ALIAS) else Step.VERSION_ROUTE_APPLIED
    return Step.WORKLOAD_APPLIED if change.key.kind == "Deployment" else Step.OBJECT_APPLIED

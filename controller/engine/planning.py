"""One way to gather what a unit's plan needs and to make it: for the controller's passes, `plan` and `status` alike."""

from __future__ import annotations

from dataclasses import dataclass, replace

from controller.engine.cache import TargetCache
from controller.engine.desire import Desire
from controller.engine.observe import cached_records, observe
from controller.engine.sources import Publication
from controller.engine.targets import Target
from controller.model import labels
from controller.model.changes import Operation, Plan
from controller.model.desired import DesiredState
from controller.model.diagnostics import PROJECT, Diagnostic, Subject
from controller.model.identity import ObjectKey, UnitKey
from controller.model.objects import Object, annotation
from controller.model.record import UnitRecord
from controller.plan.planner import held_plan, plan


@dataclass(frozen=True, slots=True)
class UnitWork:
    """Everything that a plan needs besides the unit's record and the moment."""

    unit: UnitKey
    target: Target
    cache: TargetCache
    publication: Publication


@dataclass(frozen=True, slots=True)
class PlannedUnit:
    """One unit's plan; `desired` is None where a mistake holds the whole unit."""

    plan: Plan
    desired: DesiredState | None


def plan_unit(work: UnitWork, desire: Desire, record: UnitRecord, now: float) -> PlannedUnit:
    """What is to be done with a unit now (`now` in epoch seconds). Reads the target's Secrets and images, writes nothing."""
    now = record.moment(now)
    declared = work.publication.declared
    if holding := _holding(work.publication, work.unit):
        return PlannedUnit(held_plan(work.unit, str(declared.revision), holding, record, now), None)
    desired = desire.of(work.unit, work.target, work.publication, record)
    secrets = (ref.secret for workload in desired.workloads.values() for ref in workload.secrets)
    observed = observe(work.cache, work.target.client, work.unit, secrets)
    made = plan(desired, observed, record, now)
    if foreign := _foreign(work, made):
        made = plan(desired, replace(observed, objects={**observed.objects, **foreign}), record, now)
    return PlannedUnit(made, desired)


def _foreign(work: UnitWork, made: Plan) -> dict[ObjectKey, Object]:
    """Objects of others under names that the plan would create: what lacks our label is not watched, so it is asked for."""
    created = (c.key for c in made.changes if c.operation is Operation.CREATE and c.key.kind != "Namespace")
    found = {key: work.target.client.get(key) for key in created}
    unit = str(work.unit)
    return {key: obj for key, obj in found.items() if obj is not None and annotation(obj, labels.UNIT_NAME) != unit}


def units_of(publication: Publication, cache: TargetCache) -> list[UnitKey]:
    """Every deployment that is declared or held by a mistake, and every unit of this source that has a record."""
    declared = publication.declared
    names = {*declared.deployments, *(s.name for s in declared.held if s.kind == "deployment")}
    named = {UnitKey(declared.owner, declared.project, name) for name in names if declared.owner}
    recorded = {record.unit for record in cached_records(cache) if record.source == publication.snapshot.source}
    return sorted(named | recorded)


def _holding(publication: Publication, unit: UnitKey) -> tuple[Diagnostic, ...]:
    """The mistakes that hold a whole unit: the project's, or those of its `deployment.yaml`."""
    held = publication.declared.held
    return held.get(PROJECT, ()) + held.get(Subject("deployment", unit.deployment), ())

"""One way to gather what a unit's plan needs and to make it: for the controller's passes, `plan` and `status` alike."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from controller.engine.cache import TargetCache
from controller.engine.desire import Desire, Move
from controller.engine.namespaces import is_ours
from controller.engine.observe import observe
from controller.engine.sight import Sight
from controller.engine.sources import Publication
from controller.engine.targets import Target
from controller.model.changes import Gate, Operation, Plan
from controller.model.declared import USERS_KEY
from controller.model.desired import DesiredState
from controller.model.diagnostics import PROJECT, Diagnostic, Subject
from controller.model.errors import Stalled
from controller.model.identity import ObjectKey, UnitKey
from controller.model.objects import Object
from controller.model.observed import ObservedState
from controller.model.record import UnitRecord
from controller.model.secret import Secret
from controller.plan.capacity import asks_for_nodes
from controller.plan.planner import held_plan, plan

REFUSED = "Refused"
"""The reason of a failure that nothing but another declaration, configuration or permission ends."""
_OF_ROUTES = frozenset({"RouteNotAccepted", "NotConfirmed"})
"""Gates and failures that the Gateway itself may explain."""


@dataclass(frozen=True, slots=True)
class UnitWork:
    """Everything that a plan needs besides the unit's record and the moment; `move` where the unit left this target."""

    unit: UnitKey
    sight: Sight
    publication: Publication
    move: Move | None = None

    @property
    def target(self) -> Target:
        return self.sight.target

    @property
    def cache(self) -> TargetCache:
        return self.sight.cache

    @property
    def namespace(self) -> str:
        return self.target.profile.namespace_of(self.unit)

    @property
    def probe(self) -> Secret | None:
        """The password for the unit's routes; None for open ones: there the endpoint itself would read it."""
        deployment = self.publication.declared.deployments.get(self.unit.deployment)
        return self.target.probe_of(self.unit) if deployment and deployment.basic_auth else None

    @property
    def is_declared(self) -> bool:
        """Whether the unit is to be served here."""
        return self.move is None and self.unit.deployment in self.publication.declared.deployments


@dataclass(frozen=True, slots=True)
class PlannedUnit:
    """One unit's plan; `desired` is None where a mistake holds the whole unit. `objects` are what it was compared with."""

    plan: Plan
    desired: DesiredState | None
    objects: Mapping[ObjectKey, Object] = field(default_factory=dict)


def plan_unit(work: UnitWork, desire: Desire, record: UnitRecord, now: float, *, ask_all: bool = False) -> PlannedUnit:
    """What is to be done with a unit now (`now` in epoch seconds). Reads what nobody watches, writes nothing.

    `ask_all` looks under every name that would be created, for a plan that nobody carries out; a pass finds out by its
    create being refused.
    """
    now = record.moment(now)
    declared = work.publication.declared
    if holding := _holding(work.publication, work.unit):
        return PlannedUnit(held_plan(work.unit, str(declared.revision), holding, record, now), None)
    try:
        _require_guards(work)
        desired = desire.of(work.unit, work.sight, work.publication, record, work.move)
        secrets = _secret_keys(work, desired)
    except Stalled as error:
        return PlannedUnit(_refused(work, error, record, now), None)
    unread = work.sight.look_at_unwatched({*desired.guards, *record.inventory})
    observed = replace(observe(work.cache, work.unit, secrets), unread=unread)
    desired = _in_its_namespace(desired, observed)
    made = plan(desired, observed, record, now)
    if more := _more(work, made, observed, ask_all=ask_all):
        observed = more
        made = plan(desired, observed, record, now)
    return PlannedUnit(made, desired, observed.objects)


def _require_guards(work: UnitWork) -> None:
    """Raises Stalled for a unit that declares `access` where the target cannot be asked for what enforces it."""
    deployment = work.publication.declared.deployments.get(work.unit.deployment)
    if not (deployment and deployment.basic_auth and work.is_declared):
        return
    for kind, error in work.cache.lacking().items():
        message = f"deployment {deployment.name}: its `access` needs a {kind} on target {work.target.name}: {error.message}"
        raise Stalled(message, hint=f"{error.hint}; until then what was served stays as it is")


def _in_its_namespace(desired: DesiredState, observed: ObservedState) -> DesiredState:
    """What is desired, without a namespace that somebody else made: that one is used as it is."""
    found = observed.objects.get(ObjectKey("Namespace", "", desired.namespace))
    if found is None or is_ours(found):
        return desired
    return replace(desired, shared=tuple(obj for obj in desired.shared if obj["kind"] != "Namespace"))


def _refused(work: UnitWork, error: Stalled, record: UnitRecord, now: float) -> Plan:
    """The plan of a unit that cannot be rendered for this target, or not be looked at: nothing, with the reason."""
    message = f"{error.message} ({error.hint})" if error.hint else error.message
    failure = Gate(Subject("deployment", work.unit.deployment), REFUSED, message)
    revision = str(work.publication.declared.revision)
    return Plan(work.unit, revision, now, failures=(failure,), inventory=record.inventory)


def _more(work: UnitWork, made: Plan, observed: ObservedState, *, ask_all: bool) -> ObservedState | None:
    """What the plan turned out to need besides; None where it needs no more."""
    more = observed
    if foreign := _foreign(work, made, ask_all=ask_all):
        more = replace(more, objects={**more.objects, **foreign})
    if any(gate.reason in _OF_ROUTES for gate in (*made.gates, *made.failures)):
        more = replace(more, gateway=work.sight.gateway())
    if asks_for_nodes(made):
        more = replace(more, nodes=work.sight.nodes())
    return None if more == observed else more


def _foreign(work: UnitWork, made: Plan, *, ask_all: bool) -> dict[ObjectKey, Object]:
    """What lies under names that the plan would create although the cache does not know it: mostly objects of others."""
    created = {c.key for c in made.changes if c.operation is Operation.CREATE and c.key.kind != "Namespace"}
    asked = created if ask_all else created & work.cache.suspects()
    found = work.sight.foreign(sorted(asked))
    for key in asked - found.keys():
        work.cache.trust(key)
    return found


def _secret_keys(work: UnitWork, desired: DesiredState) -> dict[str, frozenset[str]]:
    wanted = {(ref.secret, ref.key) for workload in desired.workloads.values() for ref in workload.secrets}
    deployment = work.publication.declared.deployments.get(work.unit.deployment)
    if deployment and deployment.basic_auth and not desired.gone:
        wanted.add((deployment.basic_auth, USERS_KEY))
    work.sight.secrets.renew(work.unit, deployment, work.namespace, {name for name, _ in wanted})
    return work.sight.secrets.keys(work.namespace, wanted) if wanted else {}


def _holding(publication: Publication, unit: UnitKey) -> tuple[Diagnostic, ...]:
    """The mistakes that hold a whole unit: the project's, or those of its `deployment.yaml`."""
    held = publication.declared.held
    return held.get(PROJECT, ()) + held.get(Subject("deployment", unit.deployment), ())


def is_held(publication: Publication, unit: UnitKey) -> bool:
    """Whether a mistake holds the whole unit."""
    return bool(_holding(publication, unit))


def units_of(publication: Publication, records: Iterable[UnitRecord]) -> list[UnitKey]:
    """Every deployment that is declared or held by a mistake, and every unit of this source that has a record."""
    declared = publication.declared
    names = {*declared.deployments, *(s.name for s in declared.held if s.kind == "deployment")}
    named = {UnitKey(declared.owner, declared.project, name) for name in names if declared.owner}
    return sorted(named | {record.unit for record in records if record.source == publication.origin})

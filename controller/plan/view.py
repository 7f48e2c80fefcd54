"""One look at everything a decision needs: what is desired, observed and remembered at one moment."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

from controller.health.deployment import replica_failure
from controller.health.routing import route_accepted
from controller.health.slices import ready_addresses
from controller.model import labels
from controller.model.conditions import Assessment, Health
from controller.model.desired import DesiredState, Workload
from controller.model.diagnostics import Subject
from controller.model.identity import ObjectKey
from controller.model.objects import Object, annotation, at
from controller.model.observed import ObservedState
from controller.model.record import Fact, FactKind, UnitRecord
from controller.model.routes import backend_of

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True)
class View:
    """The four inputs of a plan with the questions that every decision asks of them."""

    desired: DesiredState
    observed: ObservedState
    record: UnitRecord
    now: float

    # what is desired

    @cached_property
    def desired_names(self) -> frozenset[str]:
        """The names of all desired workloads."""
        return frozenset(workload.name for workload in self.desired.workloads.values())

    @cached_property
    def desired_versions(self) -> Mapping[str, Sequence[Workload]]:
        """The desired workloads of each version in the order of their endpoints."""
        ordered = (workload for _, workload in sorted(self.desired.workloads.items()))
        return _grouped(ordered, lambda workload: workload.version)

    # objects

    def key(self, kind: str, name: str) -> ObjectKey:
        return ObjectKey(kind, self.desired.namespace, name)

    def deployment(self, workload: str) -> Object | None:
        """A workload's Deployment on the target, if it is ours."""
        found = self.observed.objects.get(self.key("Deployment", workload))
        return found if found and self.owns(found) else None

    def owns(self, obj: Object) -> bool:
        """Whether an object says of itself that it belongs to this unit."""
        return annotation(obj, labels.UNIT_NAME) == str(self.desired.unit)

    @cached_property
    def owned(self) -> Mapping[ObjectKey, Object]:
        """Every object on the target that belongs to this unit."""
        return {key: obj for key, obj in self.observed.objects.items() if self.owns(obj)}

    @cached_property
    def alias_routes(self) -> Mapping[str, Mapping[str, Object]]:
        """The observed routes of each alias by endpoint."""
        found: dict[str, dict[str, Object]] = defaultdict(dict)
        for key, obj in self.owned.items():
            alias = annotation(obj, labels.ALIAS)
            if key.kind == "HTTPRoute" and alias:
                found[alias][annotation(obj, labels.ENDPOINT) or ""] = obj
        return found

    @cached_property
    def version_routes(self) -> Mapping[tuple[str, str], Object]:
        """The observed routes of versions by (version, endpoint)."""
        return {
            (annotation(obj, labels.VERSION) or "", annotation(obj, labels.ENDPOINT) or ""): obj
            for key, obj in self.owned.items()
            if key.kind == "HTTPRoute" and not annotation(obj, labels.ALIAS)
        }

    @cached_property
    def workloads(self) -> Mapping[str, Object]:
        """The observed Deployments of this unit by name."""
        return {key.name: obj for key, obj in self.owned.items() if key.kind == "Deployment"}

    def version_of(self, workload: str) -> str:
        """The version that a workload on the target runs."""
        obj = self.deployment(workload)
        return (annotation(obj, labels.VERSION) or "") if obj else ""

    @cached_property
    def alias_backends(self) -> Mapping[str, frozenset[str]]:
        """For each workload, the aliases whose routes lead to it now."""
        found: dict[str, set[str]] = defaultdict(set)
        for alias, routes in self.alias_routes.items():
            for route in routes.values():
                found[backend_of(route) or ""].add(alias)
        return {name: frozenset(aliases) for name, aliases in found.items()}

    @cached_property
    def version_backends(self) -> frozenset[str]:
        """The workloads that the URLs of declared versions lead to now."""
        declared = self.desired.version_routes
        return frozenset(backend_of(route) or "" for key, route in self.version_routes.items() if key in declared)

    # state of workloads and routes

    def replicas(self, workload: str) -> int:
        """How many replicas the target was told to run, as far as it says."""
        obj = self.deployment(workload) or {}
        return int(at(obj, "spec", "replicas", default=at(obj, "status", "replicas", default=0)))

    def pods(self, workload: str) -> tuple[Object, ...]:
        return self.observed.pods.get(workload, ())

    def refused_pods(self, workload: str) -> str | None:
        """Why the cluster makes no pods of a workload: a quota, an admission rule."""
        found = self.deployment(workload)
        return replica_failure(found) if found else None

    def ready(self, workload: str) -> int:
        return self._count(workload, "readyReplicas")

    def available(self, workload: str) -> int:
        """Replicas that have been ready for `minReadySeconds`."""
        return self._count(workload, "availableReplicas")

    def _count(self, workload: str, field: str) -> int:
        obj = self.deployment(workload)
        if not obj or at(obj, "status", "observedGeneration", default=0) < at(obj, "metadata", "generation", default=0):
            return 0
        return int(at(obj, "status", field, default=0))

    def addresses(self, workload: str) -> int:
        """Ready addresses that the EndpointSlices list: what a gateway can know."""
        return ready_addresses(self.observed.slices.get(workload, ()))

    def accepted(self, route: Object | None) -> bool:
        """Whether the gateway says that it took in the route's current generation."""
        return route is not None and self.acceptance(route).health is Health.HEALTHY

    def acceptance(self, route: Object) -> Assessment:
        """What the target's own gateway says of the route's current generation."""
        target = self.desired.target
        return route_accepted(route, target.gateway_class if target and target.kind == "kubernetes" else None)

    def is_left_alone(self, obj: Object | None) -> bool:
        """Whether a person asked that this very object is left as it is."""
        return obj is not None and annotation(obj, labels.RECONCILE) == labels.DISABLED

    # memory

    def fact(self, kind: FactKind, subject: str, input: str | None = None) -> Fact | None:
        """The newest fact of a kind about a subject, of one input or of any."""
        found = [fact for fact in self.facts_about(kind, subject) if input in (None, fact.input)]
        return max(found, key=lambda fact: fact.at, default=None)

    def facts(self, kind: FactKind) -> Iterable[Fact]:
        return (fact for fact in self.record.facts if fact.kind is kind)

    def facts_about(self, kind: FactKind, subject: str) -> Sequence[Fact]:
        """In the order of the record."""
        return self._by_subject.get((kind, subject), ())

    @cached_property
    def _by_subject(self) -> Mapping[tuple[FactKind, str], Sequence[Fact]]:
        return _grouped(self.record.facts, lambda fact: (fact.kind, fact.subject))

    @cached_property
    def lefts(self) -> Mapping[str, Sequence[Fact]]:
        """For each workload, the `left` facts of the routes that led to it."""
        return _grouped(self.facts(FactKind.LEFT), lambda fact: fact.input)

    @cached_property
    def confirmed_workloads(self) -> frozenset[str]:
        """The workloads that the data plane has answered with for any alias."""
        return frozenset(fact.input for fact in self.facts(FactKind.CONFIRMED))

    def new_fact(self, kind: FactKind, subject: str, input: str, detail: str = "") -> Fact:
        return Fact(kind, subject, input, str(self.desired.revision), self.now, detail)

    def alias_subject(self, alias: str) -> Subject:
        return Subject("alias", f"{self.desired.unit.deployment}/{alias}")

    def is_held(self, subject: Subject) -> bool:
        """Whether a mistake in the repository keeps this subject as it is."""
        return subject in self.desired.held


def _grouped(items: Iterable[T], key: Callable[[T], K]) -> Mapping[K, Sequence[T]]:
    groups: dict[K, list[T]] = defaultdict(list)
    for item in items:
        groups[key(item)].append(item)
    return dict(groups)

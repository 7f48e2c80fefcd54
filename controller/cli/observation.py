"""Everything of ours on a target, listed once: for commands that look and go."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from controller.model import labels
from controller.model.identity import ObjectKey, UnitKey
from controller.model.objects import Object, at, key_of, label
from controller.model.observed import ObservedState
from controller.model.ports import ClusterClient
from controller.model.record import UnitRecord
from controller.state.record_format import from_config_map

_OURS = {labels.MANAGED_BY: labels.FIELD_MANAGER}
_OBJECT_KINDS = (
    "Namespace",
    "ServiceAccount",
    "Deployment",
    "Service",
    "HorizontalPodAutoscaler",
    "PodDisruptionBudget",
    "HTTPRoute",
)


@dataclass(frozen=True)
class Observation:
    """Objects, pods and slices by the hash of their unit (`""` for what is of no unit), and the records of all units."""

    objects: Mapping[str, Mapping[ObjectKey, Object]] = field(default_factory=dict)
    pods: Mapping[str, tuple[Object, ...]] = field(default_factory=dict)
    slices: Mapping[str, tuple[Object, ...]] = field(default_factory=dict)
    records: tuple[UnitRecord, ...] = ()

    def record(self, unit: UnitKey) -> UnitRecord:
        """The unit's record, or an empty one where there is none."""
        return next((record for record in self.records if record.unit == unit), UnitRecord(unit))

    def of(self, unit: UnitKey, secrets: Mapping[str, frozenset[str]] | None = None) -> ObservedState:
        """What a plan for one unit sees."""
        return ObservedState(
            objects={**self.objects.get("", {}), **self.objects.get(unit.hash, {})},
            pods=_grouped(self.pods.get(unit.hash, ()), labels.WORKLOAD),
            slices=_grouped(self.slices.get(unit.hash, ()), labels.SERVICE_NAME),
            secrets=secrets or {},
        )


def observe_target(client: ClusterClient) -> Observation:
    """One list per kind; a change in between shows half, which the next look mends."""
    objects: dict[str, dict[ObjectKey, Object]] = defaultdict(dict)
    for kind in _OBJECT_KINDS:
        for obj in client.list(kind, labels=_OURS).items:
            objects[_unit_hash(obj)][key_of(obj)] = obj
    records = client.list("ConfigMap", labels={**_OURS, labels.RECORD: "unit"}).items
    return Observation(
        objects,
        _by_unit(client.list("Pod", labels=_OURS).items),
        _by_unit(client.list("EndpointSlice", labels=_OURS).items),
        tuple(sorted((from_config_map(obj) for obj in records), key=lambda record: record.unit)),
    )


def secret_keys(client: ClusterClient, unit: UnitKey, names: Iterable[str]) -> dict[str, frozenset[str]]:
    """The keys of each of these Secrets that is there."""
    found = {name: client.get(ObjectKey("Secret", unit.namespace, name)) for name in sorted(set(names))}
    return {name: frozenset(at(obj, "data", default={})) for name, obj in found.items() if obj is not None}


def _unit_hash(obj: Object) -> str:
    return label(obj, labels.UNIT) or ""


def _by_unit(items: Iterable[Object]) -> dict[str, tuple[Object, ...]]:
    groups: dict[str, list[Object]] = defaultdict(list)
    for obj in items:
        groups[_unit_hash(obj)].append(obj)
    return {unit: tuple(found) for unit, found in groups.items()}


def _grouped(items: Iterable[Object], name: str) -> dict[str, tuple[Object, ...]]:
    groups: dict[str, list[Object]] = defaultdict(list)
    for obj in sorted(items, key=key_of):
        groups[label(obj, name) or ""].append(obj)
    return {group: tuple(found) for group, found in groups.items()}

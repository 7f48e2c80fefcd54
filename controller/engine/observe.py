"""The cached objects of one unit as the plan wants to see them."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Mapping
from types import MappingProxyType

from controller.engine.cache import TargetCache
from controller.model import labels
from controller.model.errors import Stalled
from controller.model.identity import ObjectKey, UnitKey
from controller.model.objects import Object, label
from controller.model.observed import ObservedState
from controller.model.record import UnitRecord
from controller.state.record_format import from_config_map

_STATUS_KINDS = ("Pod", "EndpointSlice", "ConfigMap")
_NONE: Mapping[str, frozenset[str]] = MappingProxyType({})
_log = logging.getLogger(__name__)


def observe(cache: TargetCache, unit: UnitKey, secrets: Mapping[str, frozenset[str]] = _NONE) -> ObservedState:
    """The unit's objects, pods and slices, all from the cache; `secrets` maps the names of Secrets to their keys."""
    objects = cache.of_unit(unit.hash)
    return ObservedState(
        objects={key: obj for key, obj in objects.items() if key.kind not in _STATUS_KINDS},
        pods=_grouped(objects, "Pod", labels.WORKLOAD),
        slices=_grouped(objects, "EndpointSlice", labels.SERVICE_NAME),
        secrets=secrets,
    )


def cached_record(cache: TargetCache, unit: UnitKey) -> UnitRecord:
    """The unit's record as last seen; a stale one costs a Conflict at its next write, nothing more."""
    found = cache.record(unit.hash)
    return from_config_map(found) if found else UnitRecord(unit)


def cached_records(cache: TargetCache) -> tuple[UnitRecord, ...]:
    """The records of all units as last seen; one that cannot be read is told, and hides no other."""
    return tuple(record for obj in cache.records() if (record := _readable(obj)))


def _readable(obj: Object) -> UnitRecord | None:
    try:
        return from_config_map(obj)
    except Stalled as error:
        _log.warning("%s\n  hint: %s", error.message, error.hint)
        return None


def _grouped(objects: Mapping[ObjectKey, Object], kind: str, name: str) -> dict[str, tuple[Object, ...]]:
    groups: dict[str, list[Object]] = defaultdict(list)
    for key in sorted((key for key in objects if key.kind == kind), key=lambda key: key.name):
        groups[label(objects[key], name) or ""].append(objects[key])
    return {group: tuple(items) for group, items in groups.items()}

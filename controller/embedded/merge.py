"""Server-side apply's arithmetic: field sets in Kubernetes' own form `fieldsV1`, merging, pruning. Pure.

A field set is a tree of steps: `f:name` is a map's key, `k:{"name":"web"}` an item of a list with keys, `.` the node itself.
A node without children is a leaf: it is owned with everything below.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any, TypeAlias

from controller.embedded.topology import KEY_DEFAULTS, Topology
from controller.model.errors import Stalled

FieldSet: TypeAlias = Mapping[str, Any]

# Far deeper than any object of Kubernetes; what comes from a repository may be nested to exhaust the stack.
_DEEPEST = 100
_SELF = "."
_FIELD = "f:"


def plain(value: Any, depth: int = 0) -> Any:
    """JSON's own types without nulls in maps, which an API server reads as "not given". Raises `Stalled` when too deep."""
    if depth > _DEEPEST:
        raise Stalled(f"an object is nested more than {_DEEPEST} levels deep")
    if isinstance(value, Mapping):
        return {str(name): plain(below, depth + 1) for name, below in value.items() if below is not None}
    if isinstance(value, (list, tuple)):
        return [plain(below, depth + 1) for below in value]
    return value


def field_set(value: Any, topology: Topology) -> dict[str, Any]:
    """The fields that a configuration names."""
    if _is_map(value, topology):
        return {_FIELD + name: field_set(below, topology.below(name)) for name, below in value.items()}
    if _is_keyed(value, topology):
        item = _item_topology(topology)
        return {step: {_SELF: {}, **field_set(below, item)} for step, below in _by_step(value, topology).items()}
    return {}


def merge(live: Any, config: Any, topology: Topology) -> Any:
    """`live` with everything that `config` says."""
    if _is_map(config, topology) and isinstance(live, Mapping):
        merged = {name: merge(live.get(name), below, topology.below(name)) for name, below in config.items()}
        return {**live, **merged}
    if _is_keyed(config, topology) and isinstance(live, list):
        return _merge_items(_by_step(live, topology), _by_step(config, topology), _item_topology(topology))
    return config


def prune(value: Any, last: FieldSet, kept: FieldSet, topology: Topology) -> Any:
    """`value` without the fields of `last` that are not in `kept`: what a manager applied before and nobody names now."""
    if _is_map(value, topology):
        return _prune_map(value, last, kept, topology)
    if _is_keyed(value, topology):
        return _prune_items(_by_step(value, topology), last, kept, _item_topology(topology))
    return value


def overwritten(old: Any, new: Any, fields: FieldSet, topology: Topology) -> dict[str, Any]:
    """The part of `fields` whose values differ between `old` and `new`: other managers lose it."""
    lost = {}
    for step, below in fields.items():
        before, after = _child(old, step, topology), _child(new, step, topology)
        if step == _SELF or before == after:
            continue
        deeper = overwritten(before, after, below, _step_topology(step, topology))
        if deeper or not below:
            lost[step] = deeper
    return lost


def subtract(fields: FieldSet, lost: FieldSet) -> dict[str, Any]:
    """`fields` without `lost`; a leaf of `lost` takes all that lies below it along."""
    rest = {}
    for step, below in fields.items():
        if step not in lost:
            rest[step] = below
        elif lost[step] and (deeper := subtract(below, lost[step])):
            rest[step] = deeper
    return rest


def union(sets: Sequence[FieldSet]) -> FieldSet:
    """What any of the sets holds."""
    return reduce(_union, sets, {})


def _union(one: FieldSet, other: FieldSet) -> FieldSet:
    shared = {step: _union(one[step], below) for step, below in other.items() if step in one}
    return {**one, **other, **shared}


def _is_map(value: Any, topology: Topology) -> bool:
    return isinstance(value, Mapping) and not topology.atomic


def _is_keyed(value: Any, topology: Topology) -> bool:
    return isinstance(value, list) and bool(topology.keys)


def _item_topology(topology: Topology) -> Topology:
    return Topology(fields=topology.fields)


def _step_topology(step: str, topology: Topology) -> Topology:
    return topology.below(step[len(_FIELD) :]) if step.startswith(_FIELD) else _item_topology(topology)


def _child(value: Any, step: str, topology: Topology) -> Any:
    if step.startswith(_FIELD):
        return value.get(step[len(_FIELD) :]) if isinstance(value, Mapping) else None
    return _by_step(value, topology).get(step) if _is_keyed(value, topology) else None


def _by_step(items: Sequence[Any], topology: Topology) -> dict[str, Any]:
    """A list's items by their keys. Raises `Stalled` for an item without its keys or two with the same."""
    found: dict[str, Any] = {}
    for item in items:
        step = _step(item, topology)
        if step in found:
            raise Stalled(f"two items of one list have the same key {step[2:]}")
        found[step] = item
    return found


def _step(item: Any, topology: Topology) -> str:
    try:
        key = {name: item[name] if name in item else KEY_DEFAULTS[name] for name in topology.keys}
    except (KeyError, TypeError):
        raise Stalled(f"a list's item lacks its key {', '.join(topology.keys)}") from None
    return "k:" + json.dumps(key, sort_keys=True, separators=(",", ":"))


def _merge_items(live: Mapping[str, Any], config: Mapping[str, Any], topology: Topology) -> list[Any]:
    """Items in the configuration's order; those that only `live` has stay before what they stood before."""
    merged: list[Any] = []
    others = [step for step in live if step not in config]
    order = {step: place for place, step in enumerate(live)}
    for step, item in config.items():
        while others and order[others[0]] < order.get(step, -1):
            merged.append(live[others.pop(0)])
        merged.append(merge(live.get(step), item, topology))
    return merged + [live[step] for step in others]


def _prune_map(value: Mapping[str, Any], last: FieldSet, kept: FieldSet, topology: Topology) -> dict[str, Any]:
    pruned = dict(value)
    for step, below in last.items():
        name = step[len(_FIELD) :]
        if not step.startswith(_FIELD) or name not in pruned:
            continue
        if step not in kept:
            del pruned[name]
        elif below:
            pruned[name] = prune(pruned[name], below, kept[step], topology.below(name))
    return pruned


def _prune_items(items: Mapping[str, Any], last: FieldSet, kept: FieldSet, topology: Topology) -> list[Any]:
    stay = {step: item for step, item in items.items() if step in kept or step not in last}
    return [prune(item, last.get(step, {}), kept.get(step, {}), topology) for step, item in stay.items()]

"""What a unit has on a target, by its record's inventory: what may be removed, in order, and what stays."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from controller.cli.reach.opening import Reached
from controller.cli.records_of import Recorded
from controller.model import labels
from controller.model.errors import Forbidden
from controller.model.identity import ObjectKey, UnitKey
from controller.model.objects import APPLY_ORDER, Object, annotation


@dataclass(frozen=True, slots=True)
class Removal:
    """`objects` go, in this order; `kept` maps what stays to the reason, `unread` those of it that the caller may not read."""

    objects: tuple[tuple[ObjectKey, Object], ...]
    kept: Mapping[ObjectKey, str]
    unread: frozenset[ObjectKey] = frozenset()


def removal_of(reached: Reached, recorded: Recorded) -> Removal:
    """Look at every object of the inventory; one that is gone already needs nothing."""
    found: dict[ObjectKey, Object] = {}
    kept: dict[ObjectKey, str] = {}
    unread: set[ObjectKey] = set()
    for key in in_deletion_order(recorded.record.inventory):
        try:
            obj = reached.client.get(key)
        except Forbidden as error:
            kept[key] = f"you may not read it: {error.message}"
            unread.add(key)
            continue
        if obj is None:
            continue
        if reason := reason_to_keep(obj, recorded.unit):
            kept[key] = reason
        else:
            found[key] = obj
    return Removal(tuple(found.items()), kept, frozenset(unread))


def in_deletion_order(keys: Iterable[ObjectKey]) -> list[ObjectKey]:
    """PURE: routes before what they lead to, the other way round than things are made; namespaces stay for ever."""
    ranks = {kind: rank for rank, kind in enumerate(reversed(APPLY_ORDER))}
    return sorted((key for key in keys if key.kind != "Namespace"), key=lambda key: (ranks.get(key.kind, 0), key))


def reason_to_keep(obj: Object, unit: UnitKey) -> str | None:
    """PURE: why an object of the inventory is not removed."""
    owner = annotation(obj, labels.UNIT_NAME)
    if owner != str(unit):
        return f"it belongs to {owner}" if owner else "it does not say that it belongs to this deployment"
    if annotation(obj, labels.PRUNE) == labels.DISABLED:
        return f"its annotation {labels.PRUNE}: {labels.DISABLED} keeps it"
    return None

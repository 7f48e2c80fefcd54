"""What is on the target, as far as it concerns one unit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from controller.model.identity import ObjectKey
from controller.model.objects import Object


@dataclass(frozen=True, slots=True)
class NodeRoom:
    """What a node has in all and has free: amounts by resource name (CPU in cores, memory in bytes, devices, `pods`)."""

    name: str
    labels: Mapping[str, str]
    taints: tuple[Mapping[str, str], ...]
    allocatable: Mapping[str, float]
    free: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class ObservedState:
    """Objects by key (all that carry the unit's label, and foreign ones under our names), pods and slices by workload.

    `secrets` maps the name of each Secret that was asked for to the keys it has; an absent one is not in the map.
    `gateway` is the Gateway that the routes name: None where nobody asked, `{}` where it certainly is not there.
    `nodes` is what could be scheduled at the moment; None where nobody asked, or may not ask.
    `unread` are objects of ours of which it cannot be known whether they are still there.
    """

    objects: Mapping[ObjectKey, Object] = field(default_factory=dict)
    pods: Mapping[str, tuple[Object, ...]] = field(default_factory=dict)
    slices: Mapping[str, tuple[Object, ...]] = field(default_factory=dict)
    secrets: Mapping[str, frozenset[str]] = field(default_factory=dict)
    gateway: Object | None = None
    nodes: tuple[NodeRoom, ...] | None = None
    unread: frozenset[ObjectKey] = frozenset()

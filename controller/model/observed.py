"""What is on the target, as far as it concerns one unit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from controller.model.identity import ObjectKey
from controller.model.objects import Object


@dataclass(frozen=True, slots=True)
class ObservedState:
    """Objects by key (all that carry the unit's label, and foreign ones under our names), pods and slices by workload.

    `secrets` maps the name of each Secret that was asked for to the keys it has; an absent one is not in the map.
    """

    objects: Mapping[ObjectKey, Object] = field(default_factory=dict)
    pods: Mapping[str, tuple[Object, ...]] = field(default_factory=dict)
    slices: Mapping[str, tuple[Object, ...]] = field(default_factory=dict)
    secrets: Mapping[str, frozenset[str]] = field(default_factory=dict)

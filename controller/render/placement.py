"""What an endpoint needs of a node: resources, selector, tolerations. Valohai's spelling in, Kubernetes' out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from controller.model.declared import EndpointDefinition, EndpointSettings
from controller.render import quantity

_MEASURES = {"cpu": quantity.cpu, "memory": quantity.megabytes, "ephemeral-storage": quantity.megabytes}
_TOLERATION_FIELDS = ("key", "operator", "value", "effect")


def resources(definition: EndpointDefinition, settings: EndpointSettings) -> dict[str, dict[str, str]]:
    """`min` as requests, `max` as limits, devices as both (Kubernetes demands that they are equal)."""
    declared = settings.resources or definition.resources
    requests, limits = _bounds(declared, "min"), _bounds(declared, "max")
    devices = {name: quantity.count(number) for name, number in (declared.get("devices") or {}).items()}
    found = {"limits": {**limits, **devices}, "requests": {**requests, **devices}}
    return {kind: dict(sorted(amounts.items())) for kind, amounts in found.items() if amounts}


def placement(definition: EndpointDefinition, settings: EndpointSettings) -> dict[str, Any]:
    """The pod's `nodeSelector` and `tolerations`, as far as there are any."""
    found: dict[str, Any] = {}
    if selector := settings.node_selector or definition.node_selector:
        name, _, value = selector.partition("=")
        found["nodeSelector"] = {name.strip(): value.strip()}
    if tolerations := _tolerations(settings.tolerations or definition.tolerations):
        found["tolerations"] = tolerations
    return found


def _bounds(declared: Mapping[str, Any], bound: str) -> dict[str, str]:
    amounts = {name: (declared.get(name) or {}).get(bound) for name in _MEASURES}
    return {name: _MEASURES[name](amount) for name, amount in amounts.items() if amount is not None}


def _tolerations(declared: Sequence[Mapping[str, str]]) -> list[dict[str, str]]:
    """Empty fields left out as the server does. One without a key tolerates everything, which needs `Exists`."""
    kept = [{field: item[field] for field in _TOLERATION_FIELDS if item.get(field)} for item in declared]
    return [item if "key" in item else {**item, "operator": "Exists"} for item in kept]

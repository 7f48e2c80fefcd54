"""Names of objects: readable first, then a hash that makes equal settings one object and different ones two.

They are DNS-1035 labels (a Service needs that): at most 20 + 1 + 14 + 1 + 10 of 63 characters, the first a letter,
because endpoint names begin with one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from controller.model.declared import Environment, SecretRef
from controller.model.identity import UnitKey, content_hash, slug

FORMAT = 1
"""Raised when the same settings must become other workloads, which every installation pays with a rollout."""


def workload_name(
    unit: UnitKey,
    version: str,
    endpoint: str,
    *,
    image_key: str,
    command: tuple[str, ...],
    environment: Environment,
    resources: Mapping[str, Any],
    placement: Mapping[str, Any],
    probe: Mapping[str, Any],
    security: str,
) -> str:
    """The name of a workload, its Service, autoscaler and disruption budget.

    Everything that needs a new pod to take effect is in the hash, so that going back lands on the pods that still
    run. Scale, timeout, access, rollout, revision and the values of Secrets are not: they change in place.
    """
    variables = {name: _variable(value) for name, value in environment.items()}
    parts = [FORMAT, str(unit), version, endpoint, image_key, command, variables, resources, placement, probe, security]
    return _name(endpoint, version, parts)


def route_name(endpoint: str, segment: str, path: str) -> str:
    """The name of the one HTTPRoute of a URL, for ever; `segment` is the version or alias in it."""
    return _name(endpoint, segment, path)


def service_account_name(unit: UnitKey) -> str:
    """The identity that a unit's pods run under; it has no rights."""
    return f"pointsman-{slug(unit.deployment, 30)}-{unit.hash}"


def users_name(unit: UnitKey) -> str:
    """The gateway's copy of the users of a unit, and what asks for their passwords."""
    return f"pointsman-users-{slug(unit.deployment, 30)}-{unit.hash}"


def _name(endpoint: str, segment: str, content: Any) -> str:
    return f"{slug(endpoint, 20)}-{slug(segment, 14)}-{content_hash(content, 10)}"


def _variable(value: str | SecretRef) -> Any:
    return {"secret": value.secret, "key": value.key} if isinstance(value, SecretRef) else value

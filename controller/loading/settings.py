"""Merged values as the settings of an endpoint and of a deployment, with the defaults of what nobody says."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from controller.loading.durations import seconds
from controller.loading.inheritance import Branch, Leaf, Merged, as_branch, over, values
from controller.loading.nodes import Scalar
from controller.loading.valohai import tolerations
from controller.model.declared import EndpointSettings, Environment, Rollout, Scale, SecretRef

_SCALE = Scale()
_SETTINGS = EndpointSettings()
_ROLLOUT = Rollout()


def endpoint_environment(merged: Branch, endpoint: str) -> Branch:
    """The three levels are merged already; the endpoint's own environment goes over the general one."""
    return as_branch(over(merged.branch("environment"), merged.branch("endpoints", endpoint, "environment")))


def endpoint_settings(merged: Branch, endpoint: str) -> EndpointSettings:
    """What all levels together say of one endpoint."""
    own = merged.branch("endpoints", endpoint)
    resources: Any = values(own.branch("resources"))
    chosen, timeout = own.get("tolerations"), _seconds(own, "timeout")
    return EndpointSettings(
        scale=scale(own.branch("scale")),
        health=own.text("health", "path"),
        timeout=_SETTINGS.timeout if timeout is None else timeout,
        environment=environment(endpoint_environment(merged, endpoint)),
        resources=resources,
        node_selector=own.text("node-selector") or "",
        tolerations=tolerations(chosen.node) if isinstance(chosen, Leaf) else (),
    )


def with_environment(settings: EndpointSettings, merged: Branch, endpoint: str) -> EndpointSettings:
    """The same settings with the environment of another merge, for a version that says nothing else."""
    return replace(settings, environment=environment(endpoint_environment(merged, endpoint)))


def scale(branch: Branch) -> Scale:
    """A bound that is not said follows the one that is."""
    low, high = branch.whole("min"), branch.whole("max")
    smallest = low if low is not None else _SCALE.min
    return Scale(smallest, high if high is not None else max(smallest, _SCALE.max), branch.whole("cpu"))


def environment(branch: Branch) -> Environment:
    """Texts as written and references to Secrets; a plain null is gone."""
    found: dict[str, str | SecretRef] = {}
    for name, value in branch.children.items():
        entry = _environment_value(value)
        if entry is not None:
            found[name] = entry
    return found


def _environment_value(value: Merged) -> str | SecretRef | None:
    if isinstance(value, Branch):
        return SecretRef(value.text("secret") or "", value.text("key") or "")
    if value.is_null or not isinstance(value.node, Scalar):
        return None
    return value.node.text


def rollout(branch: Branch) -> Rollout:
    """How a switch proceeds."""
    deadline, warm = _seconds(branch, "deadline"), _seconds(branch, "keepWarm")
    return Rollout(
        deadline=_ROLLOUT.deadline if deadline is None else deadline,
        strategy=branch.text("strategy") or _ROLLOUT.strategy,
        keep_warm=_ROLLOUT.keep_warm if warm is None else warm,
    )


def idle_replicas(merged: Branch) -> int:
    """How many replicas of a version that no alias names."""
    replicas = merged.whole("idle", "replicas")
    return 1 if replicas is None else replicas


def _seconds(branch: Branch, key: str) -> float | None:
    text = branch.text(key)
    return None if text is None else seconds(text)

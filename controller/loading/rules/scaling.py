"""Bounds are in order, durations are not zero, and an autoscaler has a CPU request to measure against."""

from __future__ import annotations

from collections.abc import Iterator

from controller.loading.inheritance import Branch
from controller.model.declared import EndpointDefinition, EndpointSettings
from controller.model.diagnostics import Diagnostic, Location, Severity


def check_endpoint(merged: Branch, definition: EndpointDefinition, settings: EndpointSettings) -> Iterator[Diagnostic]:
    """What the merged settings of one endpoint cannot mean. The caller knows whom they hold."""
    own = merged.branch("endpoints", definition.name)
    scale = settings.scale
    if scale.min > scale.max:
        message = f"`{definition.name}` has scale min {scale.min} above max {scale.max}"
        yield Diagnostic("PM206", Severity.ERROR, message, _place(own, "scale"), hint="raise `max` or lower `min`")
    resources = settings.resources or definition.resources
    if scale.cpu is not None and not resources.get("cpu"):
        message = f"`{definition.name}` scales by CPU but has no CPU request to measure against"
        hint = f"add endpoints.{definition.name}.resources.cpu.min, or remove scale.cpu"
        yield Diagnostic("PM207", Severity.ERROR, message, _place(own, "scale", "cpu"), hint=hint)
    if settings.timeout <= 0:
        place = _place(own, "timeout")
        yield Diagnostic("PM204", Severity.ERROR, "`timeout` is zero", place, hint="give a time such as 60s")
    for name, limits in own.branch("resources").children.items():
        yield from _range(name, limits)


def _range(name: str, limits: object) -> Iterator[Diagnostic]:
    if name == "devices" or not isinstance(limits, Branch):
        return
    low, high = limits.text("min"), limits.text("max")
    if low is not None and high is not None and float(low) > float(high):
        place = _place(limits, "min")
        hint = "min is the request and max the limit: swap or correct them"
        yield Diagnostic("PM206", Severity.ERROR, f"`{name}` has min {low} above max {high}", place, hint=hint)


def _place(branch: Branch, *path: str) -> Location:
    found = branch.get(*path)
    return found.location if found is not None else branch.location

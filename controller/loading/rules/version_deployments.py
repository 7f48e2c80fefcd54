"""A version names deployments of its project."""

from __future__ import annotations

from collections.abc import Iterator

from controller.loading.nodes import ListNode, find, location, text_of
from controller.loading.reading import Reading
from controller.loading.schema_problems import did_you_mean
from controller.model.diagnostics import Diagnostic, Severity, Subject


def check(reading: Reading) -> Iterator[Diagnostic]:
    """A warning for a deployment that is not there: a version outlives deployments, and cannot be edited then."""
    names = reading.layout.deployment_names
    known = frozenset(names)
    for version in reading.versions.values():
        node = find(version.root, "deployments")
        for item in node.items if isinstance(node, ListNode) and version.enabled else ():
            name = text_of(item) or ""
            if name not in known:
                message = f"version `{version.name}` is for deployment `{name}`, which does not exist"
                place = location(version.file, item)
                subject = Subject("version", version.name)
                yield Diagnostic("PM318", Severity.WARNING, message, place, subject, did_you_mean(name, names))

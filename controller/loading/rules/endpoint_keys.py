"""Settings are for endpoints that some enabled version has."""

from __future__ import annotations

from collections.abc import Iterator

from controller.loading.nodes import MapNode, Node, find, location
from controller.loading.reading import DeclaredVersion, Reading
from controller.loading.schema_problems import did_you_mean
from controller.model.diagnostics import PROJECT, Diagnostic, Severity, Subject


def check(reading: Reading) -> Iterator[Diagnostic]:
    """A key that nothing answers to. Silent while a version cannot be read: it might have that endpoint."""
    defaults = find(reading.project, "defaults", "endpoints")
    enabled = [v for v in reading.versions.values() if v.enabled]
    yield from _unknown(defaults, reading.project_file, enabled, PROJECT)
    for deployment, merged in reading.written.items():
        path = reading.layout.deployments[deployment]
        own = merged.get("endpoints")
        if own is not None:
            yield from _unknown_in_branch(reading, deployment, path)


def _unknown_in_branch(reading: Reading, deployment: str, path: str) -> Iterator[Diagnostic]:
    known = _known(list(reading.versions_of(deployment)))
    for name, value in reading.written[deployment].branch("endpoints").children.items():
        if known and name not in known and value.location.file == path:
            message = f"no enabled version of deployment `{deployment}` has an endpoint `{name}`"
            subject = Subject("deployment", deployment)
            yield Diagnostic("PM306", Severity.ERROR, message, value.location, subject, did_you_mean(name, known))


def _unknown(node: Node | None, file: str, versions: list[DeclaredVersion], subject: Subject) -> Iterator[Diagnostic]:
    known = _known(versions)
    for name in node.entries if isinstance(node, MapNode) else ():
        if known and name not in known and isinstance(node, MapNode):
            message = f"no enabled version has an endpoint `{name}`"
            place = location(file, node.key(name))
            yield Diagnostic("PM306", Severity.ERROR, message, place, subject, did_you_mean(name, known))


def _known(versions: list[DeclaredVersion]) -> set[str]:
    """Empty when it cannot be known."""
    readable = [v.version for v in versions if v.version is not None]
    return {name for v in readable for name in v.endpoints} if len(readable) == len(versions) else set()

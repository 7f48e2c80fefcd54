"""The files that a configuration names: whether this process can read them, before anything relies on it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from controller.loading.configuration import CONFIGURATION
from controller.model.configuration import Configuration, KubeconfigAccess
from controller.model.diagnostics import Diagnostic, Location, Severity


def unreadable_files(configuration: Configuration) -> Iterator[Diagnostic]:
    """A diagnostic for each that cannot be read."""
    for path, place in _named(configuration):
        if reason := _unreadable(path):
            hint = "mount or make it, or correct the path; relative paths are relative to the configuration"
            yield Diagnostic("PM708", Severity.ERROR, f"{path} {reason}", place, CONFIGURATION, hint)


def _named(configuration: Configuration) -> Iterator[tuple[Path, Location]]:
    for source in configuration.sources.values():
        yield from ((path, source.location) for path in source.credentials.files)
    for index in (configuration.package_indexes or {}).values():
        if index.password:
            yield index.password, index.location
    for target in configuration.targets.values():
        if isinstance(target.access, KubeconfigAccess) and target.access.kubeconfig:
            yield target.access.kubeconfig, target.location
        if target.registry and target.registry.credentials:
            yield target.registry.credentials, target.location


def _unreadable(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            file.read(1)
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    return None

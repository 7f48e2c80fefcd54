"""Versions and aliases share one segment of the URL, so their names must differ."""

from __future__ import annotations

from collections.abc import Iterator

from controller.loading.reading import Reading
from controller.model.diagnostics import Diagnostic, Location, Severity, Subject


def check(reading: Reading) -> Iterator[Diagnostic]:
    """One diagnostic for each alias that has a version's name."""
    for (deployment, name), path in reading.layout.aliases.items():
        if name in reading.layout.versions:
            message = f"the alias `{name}` has the name of a version; both would have one URL"
            subject = Subject("alias", f"{deployment}/{name}")
            yield Diagnostic("PM305", Severity.ERROR, message, Location(path), subject, "rename the alias's file")

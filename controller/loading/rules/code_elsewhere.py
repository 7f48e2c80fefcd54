"""Where the code is in another repository, each version names its commit."""

from __future__ import annotations

from collections.abc import Iterator

from controller.loading.nodes import find, location, text_of
from controller.loading.paths import path_mistake
from controller.loading.reading import Reading
from controller.model.diagnostics import Diagnostic, Severity, Subject


def check(reading: Reading) -> Iterator[Diagnostic]:
    """One diagnostic for each version without a commit, and for a code path that leaves the repository."""
    path = text_of(find(reading.project, "code", "path"))
    mistake = path_mistake(path) if path not in (None, ".", "./") and path else None
    if mistake:
        place = location(reading.project_file, find(reading.project, "code", "path"))
        yield Diagnostic("PM212", Severity.ERROR, f"`code.path` {mistake}", place, hint="name a directory of the repository")
    if find(reading.project, "code", "repository") is None:
        return
    for version in reading.versions.values():
        if version.root is not None and find(version.root, "commit") is None:
            message = f"version `{version.name}` needs a `commit`: the project's code is in another repository"
            place = location(version.file, version.root)
            hint = "write the full hash: `pointsman version create` does that"
            yield Diagnostic("PM319", Severity.ERROR, message, place, Subject("version", version.name), hint)

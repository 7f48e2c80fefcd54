"""Variables that every endpoint gets from Pointsman cannot be declared."""

from __future__ import annotations

from collections.abc import Iterator

from controller.loading.inheritance import Branch
from controller.loading.reading import Reading
from controller.model.diagnostics import PROJECT, Diagnostic, Severity, Subject

RESERVED = frozenset({"VH_DEFAULT_PREFIX"})


def check(reading: Reading) -> Iterator[Diagnostic]:
    """One diagnostic for each place that declares a reserved variable."""
    for deployment, merged in reading.written.items():
        for diagnostic in _declared(merged, Subject("deployment", deployment)):
            in_project = diagnostic.location.file == reading.project_file
            yield _held_by(PROJECT, diagnostic) if in_project else diagnostic
    for version in reading.versions.values():
        yield from _declared(version.settings, Subject("version", version.name))


def _held_by(subject: Subject, d: Diagnostic) -> Diagnostic:
    return Diagnostic(d.code, d.severity, d.message, d.location, subject, d.hint)


def _declared(merged: Branch, subject: Subject) -> Iterator[Diagnostic]:
    own = [merged.branch("endpoints", name, "environment") for name in merged.branch("endpoints").children]
    for environment in (merged.branch("environment"), *own):
        for name in RESERVED & set(environment.children):
            message = f"`{name}` is set by Pointsman for every endpoint"
            place = environment.children[name].location
            yield Diagnostic("PM213", Severity.ERROR, message, place, subject, "remove it, or give yours another name")

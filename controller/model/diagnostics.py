"""Mistakes in a repository: collected, never raised, all reported at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """An error holds its subject; a warning and a note hold nothing."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True, order=True)
class Location:
    """A place in a file of the repository. Lines and columns count from 1; 0 means the whole file."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return ":".join(str(part) for part in (self.file, self.line, self.column) if part)


@dataclass(frozen=True, slots=True, order=True)
class Subject:
    """What a diagnostic, gate or hold is about, and so how far it reaches.

    `kind` is one of project, deployment, version, alias, endpoint, workload, route, object;
    `name` is the path of names below the project, such as `americas/production`.
    """

    kind: str
    name: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.name}".rstrip()


PROJECT = Subject("project")


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One mistake: what, how bad, where, what it holds, and what to do about it.

    `code` is stable and has a page `docs/errors/<code>.md`.
    """

    code: str
    severity: Severity
    message: str
    location: Location
    subject: Subject = PROJECT
    hint: str | None = None

    @property
    def is_error(self) -> bool:
        return self.severity is Severity.ERROR

    def __str__(self) -> str:
        text = f"{self.location}: {self.severity}: {self.message} [{self.code}]"
        return f"{text}\n  hint: {self.hint}" if self.hint else text


def ordered(diagnostics: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Each diagnostic once, by place, so that the same mistakes always print alike."""
    return tuple(sorted(set(diagnostics), key=lambda d: (d.location, d.code, d.message, d.subject)))

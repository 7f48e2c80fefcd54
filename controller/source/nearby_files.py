"""Where a directory's declared files come from when nobody declared it: from the person, else from their own place there.

A model that was trained on this machine often lies where the endpoint looks for it, and in `.gitignore` too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from controller.loading.valohai import read_valohai
from controller.model.declared import DeclaredFile, EndpointDefinition, FileContent
from controller.model.diagnostics import Diagnostic, Severity, Subject
from controller.model.errors import Stalled

VALOHAI = "valohai.yaml"
GivenFiles = Mapping[tuple[str, str], Path | FileContent]
"""(endpoint, file) to its bytes: a path on this machine, or a URL with its sha256."""


@dataclass(frozen=True, slots=True)
class NearbyFiles:
    """`files` are all that have bytes, `looked_at` where others were looked for, `lacking` those without."""

    endpoints: tuple[str, ...]
    files: GivenFiles
    looked_at: tuple[Path, ...] = ()
    lacking: tuple[tuple[EndpointDefinition, DeclaredFile], ...] = ()

    @property
    def complete(self) -> tuple[str, ...]:
        """The endpoints that can be served."""
        broken = {endpoint.name for endpoint, _ in self.lacking}
        return tuple(name for name in self.endpoints if name not in broken)

    def require_some(self) -> None:
        """Raises Stalled where no endpoint at all can be served."""
        if self.lacking and not self.complete:
            words = ", ".join(_message(*one) for one in self.lacking)
            raise Stalled(words, hint=f"pointsman up {' '.join(_option(*one) for one in self.lacking)}")

    def warnings(self, subject: Subject) -> tuple[Diagnostic, ...]:
        """One for every file without bytes: its endpoint is left out, the others are served."""
        return tuple(
            Diagnostic(
                "PM316",
                Severity.WARNING,
                f"{_message(endpoint, file)}; the endpoint is left out",
                endpoint.location,
                subject,
                f"pointsman up {_option(endpoint, file)}",
            )
            for endpoint, file in self.lacking
        )


def nearby_files(directory: Path, valohai: bytes | None, given: GivenFiles) -> NearbyFiles:
    """What the endpoints of `valohai.yaml` need, as far as it was given or lies in the directory.

    Raises Stalled where there is no endpoint to begin with.
    """
    if valohai is None:
        raise _without_valohai(directory)
    definitions, mistakes = read_valohai(valohai, VALOHAI)
    if not definitions and not mistakes:
        hint = "add an `- endpoint:` item with `name`, `image` and `server-command` or `wsgi`"
        raise Stalled(f"{directory / VALOHAI} declares no endpoint", hint=hint)
    wanted = [(e, file) for e in definitions.values() for file in e.files if (e.name, file.name) not in given]
    places = {(e.name, file.name): directory / file.path for e, file in wanted}
    found = {name: place for name, place in places.items() if place.is_file()}
    lacking = tuple((e, file) for e, file in wanted if (e.name, file.name) not in found)
    return NearbyFiles(tuple(definitions), {**found, **given}, tuple(places.values()), lacking)


def _without_valohai(directory: Path) -> Stalled:
    below = sorted(path.parent.name for path in directory.glob(f"*/{VALOHAI}"))
    hint = (
        f"pointsman up {below[0]}"
        if below
        else "add one with an `- endpoint:` item, or name the directory: pointsman up DIRECTORY"
    )
    return Stalled(f"{directory} has no {VALOHAI}", hint=hint)


def _message(endpoint: EndpointDefinition, file: DeclaredFile) -> str:
    return f"{endpoint.name}: file `{file.name}` has no bytes, and there is no {file.path} here"


def _option(endpoint: EndpointDefinition, file: DeclaredFile) -> str:
    return f"--file {endpoint.name}/{file.name}=PATH|URL"

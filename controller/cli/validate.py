"""`pointsman validate`: every mistake in a declared tree, or in one valohai.yaml, at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from controller.cli.context import Place, find_place, state_option
from controller.cli.exit_codes import ERROR, OK
from controller.cli.output import hint, note, print_document, print_rows
from controller.cli.secrets_ahead import in_newest_versions
from controller.cli.tree import UNSEEN_CODE, working_directory
from controller.loading.layout import lay_out
from controller.loading.loader import load
from controller.loading.valohai import read_valohai
from controller.model.declared import DeclaredState, EndpointDefinition
from controller.model.diagnostics import PROJECT, Diagnostic, Location, Severity, Subject, ordered
from controller.model.errors import Stalled
from controller.model.source import Snapshot

_VALOHAI = "valohai.yaml"
_LARGEST = 1 << 20
_HELD_VERSION = "PM304"
"""Only says of an alias that its version has a mistake, which is told by itself."""


@click.command()
@click.argument("path", type=click.Path(exists=True, path_type=Path), required=False)
@click.option("-o", "--output", type=click.Choice(("table", "json")), default="table", show_default=True, help="Output format.")
@state_option
def validate(path: Path | None, output: str, state: Path | None) -> int:
    r"""Find every mistake in a declared tree, or in one valohai.yaml. Needs no cluster and changes nothing.

    The files count as they lie on the disk. Ends with 1 where there is an error; warnings are only told.

    \b
    Examples:
      pointsman validate                   the repository here
      pointsman validate valohai.yaml      the endpoints of one file
      pointsman validate -o json | jq '.diagnostics[].code'
    """
    if path is not None and path.is_file():
        return _validate_file(path, output)
    place = find_place(path, state)
    if not (place.source / "pointsman").is_dir() and (place.source / _VALOHAI).is_file():
        hint("there is no pointsman/ directory here, so only valohai.yaml was checked; pointsman init makes one")
        return _validate_file(place.source / _VALOHAI, output)
    return _validate_tree(place, output)


def _validate_tree(place: Place, output: str) -> int:
    with working_directory(place) as source:
        snapshot = source.snapshot()
        declared = load(snapshot, uncommitted=True)
        secrets = tuple(in_newest_versions(declared, snapshot, source.code))
    diagnostics = ordered((*_seen(declared), *_notes(snapshot), *secrets))
    _print(diagnostics, output, files=sorted(snapshot.files))
    layout = lay_out(snapshot.path, snapshot.files)
    counts = {"file": snapshot.files, "version": layout.versions, "deployment": layout.deployment_names}
    return _conclude(diagnostics, ", ".join(_count(len(found), word) for word, found in counts.items()))


def _seen(declared: DeclaredState) -> Iterator[Diagnostic]:
    """Without what only says that another repository's code is not looked at here."""
    elsewhere = [d for d in declared.diagnostics if d.code == "PM507"]
    if not elsewhere:
        yield from declared.diagnostics
        return
    yield from (d for d in declared.diagnostics if d.code not in (*UNSEEN_CODE, _HELD_VERSION))
    message = "the code lies in another repository, so endpoints and files of versions were not checked"
    yield Diagnostic("PM507", Severity.NOTE, message, elsewhere[0].location, PROJECT)


def _notes(snapshot: Snapshot) -> Iterator[Diagnostic]:
    """A version file that is not committed is no mistake yet, but nothing runs it either."""
    for name, source in sorted(snapshot.versions.items()):
        if not source.committed:
            file = f"{snapshot.path}/versions/{name}.yaml"
            message = f"version `{name}` is not committed yet; its code was read from the working tree"
            yield Diagnostic("PM312", Severity.NOTE, message, Location(file), Subject("version", name))


def _validate_file(path: Path, output: str) -> int:
    with path.open("rb") as file:
        data = file.read(_LARGEST + 1)
    if len(data) > _LARGEST:
        raise Stalled(f"{path} is larger than {_LARGEST >> 20} MiB")
    endpoints, diagnostics = read_valohai(data, str(path))
    _print(diagnostics, output, endpoints=[_endpoint_row(e) for e in endpoints.values()])
    if output == "table" and endpoints:
        print_rows([_endpoint_row(e) for e in endpoints.values()], output, columns=("name", "port", "start", "files", "image"))
    return _conclude(diagnostics, _count(len(endpoints), "endpoint"))


def _endpoint_row(endpoint: EndpointDefinition) -> dict[str, object]:
    return {
        "name": endpoint.name,
        "port": endpoint.port,
        "start": (endpoint.command or endpoint.wsgi or "").replace("\n", " "),
        "files": ", ".join(f"{file.name} at {file.path}" for file in endpoint.files),
        "image": endpoint.image,
        "line": endpoint.location.line,
    }


def _print(diagnostics: Iterable[Diagnostic], output: str, **more: Any) -> None:
    if output == "json":
        print_document({"diagnostics": [diagnostic_json(d) for d in diagnostics], **more}, output)
    else:
        for diagnostic in diagnostics:
            click.echo(str(diagnostic))


def diagnostic_json(diagnostic: Diagnostic) -> dict[str, Any]:
    """A diagnostic as plain data."""
    place = asdict(diagnostic.location)
    return {
        "code": diagnostic.code,
        "severity": diagnostic.severity.value,
        "message": diagnostic.message,
        **place,
        "subject": str(diagnostic.subject),
        "hint": diagnostic.hint,
    }


def _conclude(diagnostics: Iterable[Diagnostic], counted: str) -> int:
    counts = {s: sum(d.severity is s for d in diagnostics) for s in (Severity.ERROR, Severity.WARNING)}
    found = ", ".join(_count(count, severity) for severity, count in counts.items() if count)
    note(f"{counted}: {found or 'no mistakes'}")
    return ERROR if counts[Severity.ERROR] else OK


def _count(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"

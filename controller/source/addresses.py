"""Where declared files may come from: an address must begin with a granted prefix, or its version is held."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from urllib.parse import urlsplit

from controller.loading.documents import parse
from controller.loading.nodes import MapNode, Node, find, location, text_of
from controller.model.diagnostics import Diagnostic, Severity, Subject
from controller.model.file_address import is_granted
from controller.model.source import Snapshot


def with_granted_addresses(snapshot: Snapshot, prefixes: Collection[str] | None) -> Snapshot:
    """The snapshot with a mistake for each address that is not granted; None: all are."""
    mistakes = ungranted_addresses(snapshot, prefixes) if prefixes is not None else ()
    return replace(snapshot, diagnostics=(*snapshot.diagnostics, *mistakes)) if mistakes else snapshot


def ungranted_addresses(snapshot: Snapshot, prefixes: Collection[str]) -> tuple[Diagnostic, ...]:
    """A diagnostic for every file of every version whose `url` the configuration does not grant."""
    found: list[Diagnostic] = []
    for version in snapshot.versions.values():
        file = f"{snapshot.path}/versions/{version.name}.yaml"
        subject = Subject("version", version.name)
        refused = (n for n in _addresses(find(parse(version.text).root, "files")) if not is_granted(text_of(n) or "", prefixes))
        found.extend(_mistake(node, file, subject, prefixes) for node in refused)
    return tuple(found)


def _addresses(files: Node | None) -> Iterator[Node]:
    for _, endpoint in files.items() if isinstance(files, MapNode) else ():
        for _, content in endpoint.items() if isinstance(endpoint, MapNode) else ():
            if (node := find(content, "url")) is not None:
                yield node


def _mistake(node: Node, file: str, subject: Subject, prefixes: Collection[str]) -> Diagnostic:
    host = urlsplit(text_of(node) or "").hostname or "nowhere"
    message = f"a file's address at `{host}` is not granted to this source"
    known = f"granted: {', '.join(sorted(prefixes))}; " if prefixes else ""
    hint = f"{known}ask whoever runs the controller to add it to the source's `grants.filePrefixes`"
    return Diagnostic("PM509", Severity.ERROR, message, location(file, node), subject, hint)

"""The secrets in a whole code tree, and whether its image may be made all the same."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace

from controller.images.layers import Layer
from controller.images.secrets.finding import Finding
from controller.images.secrets.scan import LONGEST, scan
from controller.loading.printable import shown
from controller.model.errors import Stalled
from controller.model.patterns import path_matches
from controller.model.ports import CodeReader
from controller.model.source import TreeEntry

_MOST = 10_000
_NAMED = 5


def secrets_in(entries: Iterable[TreeEntry], code: CodeReader) -> Iterator[Finding]:
    """Everything that was found in the files, allowed or not. Raises `Stalled` where nobody could allow it one by one."""
    count = 0
    for entry in entries:
        for found in scan(entry.path, _beginning(code, entry)):
            count += 1
            if count > _MOST:
                raise Stalled(f"the code holds more than {_MOST:,} secrets", hint="remove them from the code")
            yield found


def not_allowed(findings: Iterable[Finding], allowed: Collection[str]) -> list[Finding]:
    """The findings in files that no pattern names."""
    return [found for found in findings if not any(path_matches(pattern, found.path) for pattern in allowed)]


def without_secrets(layer: Layer, allowed: Collection[str], *, leaves: bool) -> Layer:
    """The layer, if it may be used: `leaves` says whether others will be able to read it. Raises `Stalled` else."""
    found = not_allowed(layer.findings, allowed)
    if found and leaves:
        raise refusal(found)
    return replace(layer, warnings=(*layer.warnings, *map(_warning, found)))


def refusal(found: Sequence[Finding]) -> Stalled:
    """Why an image is not made; says where, never what."""
    named = [f"{shown(each.place)} holds {each.what}" for each in found[:_NAMED]]
    more = f", and {len(found) - _NAMED} more places hold secrets" if len(found) > _NAMED else ""
    message = f"{', '.join(named)}{more}: whoever can pull the image could read it"
    return Stalled(message, hint=f"take it out and revoke it, for git keeps its history; {how_to_allow(found[0])}")


def how_to_allow(found: Finding) -> str:
    """What to write where it is none."""
    return f"if it is none, write `code: {{allowSecrets: [{shown(found.path)}]}}` in project.yaml"


def _warning(found: Finding) -> str:
    return f"{shown(found.place)} holds {found.what}; whoever can pull the image can read it"


def _beginning(code: CodeReader, entry: TreeEntry) -> bytes:
    gathered = bytearray()
    for block in code.read(entry.blob):
        gathered += block
        if len(gathered) >= LONGEST:
            break
    return bytes(gathered[:LONGEST])

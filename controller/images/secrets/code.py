"""The secrets in a whole code tree, and whether its image may be made all the same."""

from __future__ import annotations

import json
import re
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

REMEMBERED = 20_000
"""Files whose findings are remembered."""

_PLAIN = re.compile(r"[\w./][\w./-]*")
"""Paths that need no quotes in YAML."""

_MOST = 10_000
_NAMED = 5


class Scanned:
    """What was found in files, by their path and git's id of their bytes: a change of one file costs a look at one file."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], tuple[Finding, ...]] = {}

    def findings(self, entry: TreeEntry, code: CodeReader) -> tuple[Finding, ...]:
        """What the file holds; its bytes are read only if nobody has looked at them before."""
        file = (entry.path, entry.blob)
        found = self._found.get(file)
        if found is None:
            found = tuple(scan(entry.path, _beginning(code, entry)))
            if len(self._found) >= REMEMBERED:
                self._found.clear()
            self._found[file] = found
        return found


def secrets_in(entries: Iterable[TreeEntry], code: CodeReader, scanned: Scanned | None = None) -> Iterator[Finding]:
    """Everything that was found in the files, allowed or not. Raises `Stalled` where nobody could allow it one by one."""
    seen = scanned or Scanned()
    count = 0
    for entry in entries:
        for found in seen.findings(entry, code):
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
    path = found.path if _PLAIN.fullmatch(found.path) else json.dumps(found.path)
    return f"if it is none, write `code: {{allowSecrets: [{shown(path)}]}}` in project.yaml"


def _warning(found: Finding) -> str:
    return f"{shown(found.place)} holds {found.what}; the image can stay on this machine, but not leave it"


def _beginning(code: CodeReader, entry: TreeEntry) -> bytes:
    gathered = bytearray()
    for block in code.read(entry.blob):
        gathered += block
        if len(gathered) >= LONGEST:
            break
    return bytes(gathered[:LONGEST])

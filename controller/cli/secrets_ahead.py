"""Secrets in the code that a build would find, told before the push."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from controller.images.secrets.code import how_to_allow, not_allowed, secrets_in
from controller.images.secrets.finding import Finding
from controller.loading.printable import shown
from controller.model.declared import DeclaredState
from controller.model.diagnostics import Diagnostic, Location, Severity, Subject
from controller.model.errors import PointsmanError
from controller.model.images import ImageSpec
from controller.model.ports import CodeReader
from controller.model.source import CodeTree, Snapshot

_MOST = 10
"""Code trees that are looked at: the newest ones, for what is older was pushed long ago."""
_STAYS = "an image of it can stay on this machine, but not leave it"
_LEAVES = "whoever can pull the image could read it"


def in_newest_versions(declared: DeclaredState, snapshot: Snapshot, code: CodeReader) -> Iterator[Diagnostic]:
    """Warnings for the enabled versions that were written last; whether their images leave this machine is not known here."""
    enabled = {name: version.code for name, version in declared.versions.items() if version.enabled}
    newest = sorted(enabled, key=lambda name: (snapshot.changed.get(f"{snapshot.path}/versions/{name}.yaml", 0), name))
    chosen = {name: enabled[name] for name in newest}
    yield from _diagnostics(chosen, declared.allow_secrets, code, Severity.WARNING, _STAYS)


def in_builds(specs: Iterable[ImageSpec], code: CodeReader, *, leave: bool) -> Iterator[Diagnostic]:
    """What the builds of these images will refuse where they leave this machine, and else only warn of."""
    wanted = list(specs)
    allowed = wanted[0].terms.allow_secrets if wanted else ()
    severity, why = (Severity.ERROR, _LEAVES) if leave else (Severity.WARNING, _STAYS)
    yield from _diagnostics({spec.name.partition("/")[0]: spec.code for spec in wanted}, allowed, code, severity, why)


def _diagnostics(
    trees: Mapping[str, CodeTree], allowed: Iterable[str], code: CodeReader, severity: Severity, why: str
) -> Iterator[Diagnostic]:
    seen: list[CodeTree] = []
    for name, tree in trees.items():
        if tree not in seen and len(seen) < _MOST:
            seen.append(tree)
            for found in not_allowed(_found(tree, code), tuple(allowed)):
                message = f"this is {found.what} (in the code of version `{name}`): {why}"
                hint = f"take it out and revoke it; {how_to_allow(found)}"
                place = Location(shown(found.path), found.line)
                yield Diagnostic("PM414", severity, message, place, Subject("version", name), hint)


def _found(tree: CodeTree, code: CodeReader) -> tuple[Finding, ...]:
    """Code that cannot be in an image at all is told of by its build."""
    try:
        return tuple(secrets_in(code.entries(tree), code))
    except PointsmanError:
        return ()

"""An alias leads to a version that exists, is enabled and is meant for this deployment."""

from __future__ import annotations

from collections.abc import Iterator

from controller.loading.reading import DeclaredVersion, Reading
from controller.loading.schema_problems import did_you_mean
from controller.model.declared import Alias
from controller.model.diagnostics import Diagnostic, Severity, Subject

HELD = "PM304"
HELD_HINT = "its own diagnostics say why: mend it, or make a new version"


def check(reading: Reading) -> Iterator[Diagnostic]:
    """One diagnostic for each alias that leads nowhere; it holds that alias."""
    for deployment, alias in reading.all_aliases():
        found = reading.versions.get(alias.version)
        mistake = _mistake(alias, deployment, found, reading)
        if mistake:
            code, message, hint = mistake
            subject = Subject("alias", f"{deployment}/{alias.name}")
            yield Diagnostic(code, Severity.ERROR, message, alias.location, subject, hint)


def led_to_held(alias: Alias, subject: Subject) -> Diagnostic:
    """The mistake of an alias whose version has one of its own."""
    message = f"alias `{alias.name}` leads to version `{alias.version}`, which is held"
    return Diagnostic(HELD, Severity.ERROR, message, alias.location, subject, HELD_HINT)


def _mistake(
    alias: Alias, deployment: str, version: DeclaredVersion | None, reading: Reading
) -> tuple[str, str, str | None] | None:
    name = alias.version
    if version is None:
        candidates = [v.name for v in reading.versions_of(deployment)]
        hint = did_you_mean(name, candidates) or "make it: pointsman version create"
        return "PM301", f"alias `{alias.name}` leads to version `{name}`, which does not exist", hint
    if not version.enabled:
        hint = f"set `enabled: true` in {version.file}, or name another version"
        return "PM302", f"alias `{alias.name}` leads to version `{name}`, which is not enabled", hint
    if not version.is_for(deployment):
        hint = f"its `deployments` cannot be changed; pointsman version create --from {name}, or name another version"
        return "PM303", f"alias `{alias.name}` leads to version `{name}`, which is not for deployment `{deployment}`", hint
    if version.version is None:
        return HELD, f"alias `{alias.name}` leads to version `{name}`, which is held", HELD_HINT
    return None

"""Which declared file is what: names come from paths, so they cannot disagree or repeat."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from controller.loading.schema_problems import did_you_mean
from controller.model.diagnostics import PROJECT, Diagnostic, Location, Severity, Subject

PROJECT_FILE = "project.yaml"
DEPLOYMENT_FILE = "deployment.yaml"
PLACES = (PROJECT_FILE, "versions/<version>.yaml", "deployments/<deployment>/deployment.yaml")
ALIAS_PLACE = "deployments/<deployment>/aliases/<alias>.yaml"

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}", re.ASCII)
_NAME_HINT = "a name has lower-case letters, digits, `.`, `_` and `-`, begins with a letter or digit, at most 63 characters"
_IGNORED = (".md", ".MD")


@dataclass(slots=True)
class Layout:
    """Paths by name. A deployment may lack its file: then only aliases lie in its directory."""

    project: str | None = None
    versions: dict[str, str] = field(default_factory=dict)
    deployments: dict[str, str] = field(default_factory=dict)
    aliases: dict[tuple[str, str], str] = field(default_factory=dict)
    diagnostics: list[Diagnostic] = field(default_factory=list)

    @property
    def deployment_names(self) -> tuple[str, ...]:
        """All deployments, also those that lack their file."""
        return tuple(sorted({*self.deployments, *(deployment for deployment, _ in self.aliases)}))


def lay_out(directory: str, files: Iterable[str]) -> Layout:
    """Sort the files of the declared directory; whatever has no place is a diagnostic."""
    layout = Layout()
    prefix = "" if directory in ("", ".") else f"{directory.rstrip('/')}/"
    for path in sorted(files):
        if path.startswith(prefix) and not path.endswith(_IGNORED):
            _place(layout, path, path.removeprefix(prefix))
    _report_missing(layout, prefix)
    return layout


def _place(layout: Layout, path: str, relative: str) -> None:
    match relative.split("/"):
        case ["project.yaml"]:
            layout.project = path
        case ["versions", file] if file.endswith(".yaml"):
            _add(layout, layout.versions, file[:-5], path, Subject("version", file[:-5]))
        case ["deployments", deployment, "deployment.yaml"]:
            _add(layout, layout.deployments, deployment, path, Subject("deployment", deployment))
        case ["deployments", deployment, "aliases", file] if file.endswith(".yaml"):
            _add_alias(layout, deployment, file[:-5], path)
        case parts:
            layout.diagnostics.append(_unknown(path, parts))


def _add(layout: Layout, names: dict[str, str], name: str, path: str, subject: Subject) -> None:
    if _NAME.fullmatch(name):
        names[name] = path
    else:
        layout.diagnostics.append(_bad_name(name, path, subject))


def _add_alias(layout: Layout, deployment: str, alias: str, path: str) -> None:
    subject = Subject("alias", f"{deployment}/{alias}")
    for name in (deployment, alias):
        if not _NAME.fullmatch(name):
            layout.diagnostics.append(_bad_name(name, path, subject))
            return
    layout.aliases[deployment, alias] = path


def _report_missing(layout: Layout, prefix: str) -> None:
    if layout.project is None:
        hint = "write it: `format: 1`, `owner: ...` and `name: ...`, or run `pointsman init`"
        layout.diagnostics.append(_missing(f"{prefix}{PROJECT_FILE}", PROJECT, hint))
    for name in layout.deployment_names:
        if name not in layout.deployments:
            path = f"{prefix}deployments/{name}/{DEPLOYMENT_FILE}"
            layout.diagnostics.append(_missing(path, Subject("deployment", name), "write it; `{}` is enough"))


def _missing(path: str, subject: Subject, hint: str) -> Diagnostic:
    return Diagnostic("PM210", Severity.ERROR, f"{path} is missing", Location(path), subject, hint)


def _bad_name(name: str, path: str, subject: Subject) -> Diagnostic:
    return Diagnostic("PM209", Severity.ERROR, f"`{name}` cannot be a name", Location(path), subject, _NAME_HINT)


def _unknown(path: str, parts: list[str]) -> Diagnostic:
    return Diagnostic(
        "PM208", Severity.ERROR, "this file has no place here", Location(path), _subject(parts), _place_hint(parts)
    )


def _subject(parts: list[str]) -> Subject:
    """What the file was probably meant to be, so that nothing else is held for it."""
    stem = parts[-1].rsplit(".", 1)[0]
    match parts:
        case ["versions", _]:
            return Subject("version", stem)
        case ["deployments", deployment, "aliases", _]:
            return Subject("alias", f"{deployment}/{stem}")
        case ["deployments", deployment, *rest] if rest:
            return Subject("deployment", deployment)
    return PROJECT


def _place_hint(parts: list[str]) -> str:
    if parts[-1].endswith((".yml", ".json")):
        return f"rename it to {parts[-1].rsplit('.', 1)[0]}.yaml, or remove it"
    if len(parts) == 1:
        near = did_you_mean(parts[0], [PROJECT_FILE])
    else:
        near = did_you_mean(parts[0], ["versions", "deployments"]) if parts[0] not in ("versions", "deployments") else None
    if near and near.startswith("did you mean"):
        return near
    return f"known places: {', '.join((*PLACES, ALIAS_PLACE))}; notes go into *.md files"

"""What the declared files say, read one by one and checked by their schemas: what the rules then look at together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from controller.loading.inheritance import EMPTY, Branch, as_branch, over, placed
from controller.loading.layout import Layout, lay_out
from controller.loading.nodes import ListNode, Node, Scalar, find, location, text_of
from controller.loading.schema import validate
from controller.model.declared import Alias, Version
from controller.model.diagnostics import PROJECT, Diagnostic, Location, Severity, Subject
from controller.model.source import Snapshot

_NAMES: Mapping[str, tuple[str, ...]] = {
    "project": ("owner", "name"),
    "version": ("commit", "deployments"),
    "deployment": ("target",),
    "alias": ("version",),
}
"""Where each kind of file holds names, which YAML must not have guessed at."""


_GUESSES = {"int": "number", "float": "number", "bool": "switch", "timestamp": "date"}


@dataclass(frozen=True, slots=True)
class DeclaredVersion:
    """A version file: `root` is the first text's tree, `code` what it makes of the code; None while a mistake holds it."""

    name: str
    file: str
    root: Node | None = None
    enabled: bool = True
    deployments: frozenset[str] | None = None
    settings: Branch = EMPTY
    version: Version | None = None

    def is_for(self, deployment: str) -> bool:
        """Whether this version is meant for a deployment."""
        return self.deployments is None or deployment in self.deployments


@dataclass(frozen=True)
class Reading:
    """Everything that could be read. `merged` holds each deployment's values over the project's defaults."""

    layout: Layout
    project: Node | None
    merged: Mapping[str, Branch]
    aliases: Mapping[str, Mapping[str, Alias]]
    versions: Mapping[str, DeclaredVersion] = field(default_factory=dict)
    local: bool = False

    @property
    def project_file(self) -> str:
        return self.layout.project or ""

    def all_aliases(self) -> Iterator[tuple[str, Alias]]:
        """(deployment, alias) of every alias that could be read."""
        return ((deployment, alias) for deployment, aliases in self.aliases.items() for alias in aliases.values())

    def versions_of(self, deployment: str) -> Sequence[DeclaredVersion]:
        """The enabled versions that are meant for a deployment, in the order of their names."""
        return self._meant.get(deployment, ())

    @cached_property
    def _meant(self) -> Mapping[str, Sequence[DeclaredVersion]]:
        meant: dict[str, list[DeclaredVersion]] = {name: [] for name in self.layout.deployment_names}
        for version in self.versions.values():
            if version.enabled:
                for name in meant.keys() if version.deployments is None else meant.keys() & version.deployments:
                    meant[name].append(version)
        return meant


def read_declared(snapshot: Snapshot) -> tuple[Reading, list[Diagnostic]]:
    """Everything but the versions, which need their code."""
    layout = lay_out(snapshot.path, snapshot.files)
    diagnostics = list(layout.diagnostics)
    project = _read("project", layout.project, snapshot, PROJECT, diagnostics)
    defaults = placed(find(project, "defaults"), layout.project or "")
    merged = {}
    for name, path in sorted(layout.deployments.items()):
        root = _read("deployment", path, snapshot, Subject("deployment", name), diagnostics)
        if root is not None:
            merged[name] = as_branch(over(defaults, placed(root, path)))
    aliases: dict[str, dict[str, Alias]] = {}
    for (deployment, name), path in sorted(layout.aliases.items()):
        root = _read("alias", path, snapshot, Subject("alias", f"{deployment}/{name}"), diagnostics)
        version = find(root, "version")
        if version is not None:
            aliases.setdefault(deployment, {})[name] = Alias(name, text_of(version) or "", location(path, version))
    return Reading(layout, project, merged, aliases, local=snapshot.local), diagnostics


def _read(kind: str, path: str | None, snapshot: Snapshot, subject: Subject, into: list[Diagnostic]) -> Node | None:
    if path is None:
        return None
    document = validate(kind, snapshot.files[path])
    into.extend(problem.in_file(path, subject) for problem in document.problems)
    into.extend(ambiguous_names(kind, document.root, path, subject))
    return document.root if document.is_readable else None


def ambiguous_names(kind: str, root: Node | None, file: str, subject: Subject) -> Iterator[Diagnostic]:
    """Names without quotes that other tools take for a number, a date or a switch."""
    for key in _NAMES[kind]:
        node = find(root, key)
        for item in node.items if isinstance(node, ListNode) else (node,):
            if isinstance(item, Scalar) and item.is_ambiguous and not item.is_null:
                message = f"`{item.text}` is a {_GUESSES.get(item.guess, 'special value')} to other YAML tools"
                place = Location(file, item.line, item.column)
                hint = f'Pointsman reads the text as written; write it in quotes: "{item.text}"'
                yield Diagnostic("PM109", Severity.WARNING, message, place, subject, hint)

"""What the declared files say, read one by one and checked by their schemas: what the rules then look at together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from controller.loading.documents import Document
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
    """Everything that could be read. `merged` holds each deployment's values over the project's defaults.

    `written` holds them also where a file has mistakes: rules look there, so that one mistake does not hide another.
    """

    layout: Layout
    project: Node | None
    merged: Mapping[str, Branch]
    aliases: Mapping[str, Mapping[str, Alias]]
    versions: Mapping[str, DeclaredVersion] = field(default_factory=dict)
    local: bool = False
    written: Mapping[str, Branch] = field(default_factory=dict)

    @property
    def project_file(self) -> str:
        return self.layout.project or ""

    @property
    def allowed_secrets(self) -> Sequence[Node]:
        """The items of project.yaml's `code.allowSecrets`."""
        node = find(self.project, "code", "allowSecrets")
        return node.items if isinstance(node, ListNode) else ()

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
    root = project.root if project.is_readable else None
    defaults = placed(find(root, "defaults"), layout.project or "")
    merged, written = {}, {}
    for name, path in sorted(layout.deployments.items()):
        document = _read("deployment", path, snapshot, Subject("deployment", name), diagnostics)
        if document.root is not None:
            written[name] = as_branch(over(defaults, placed(document.root, path)))
        if document.is_readable and name in written:
            merged[name] = written[name]
    aliases: dict[str, dict[str, Alias]] = {}
    for (deployment, name), path in sorted(layout.aliases.items()):
        document = _read("alias", path, snapshot, Subject("alias", f"{deployment}/{name}"), diagnostics)
        version = find(document.root, "version")
        if version is not None and not _is_blamed(version, document):
            aliases.setdefault(deployment, {})[name] = Alias(name, text_of(version) or "", location(path, version))
    return Reading(layout, root, merged, aliases, local=snapshot.local, written=written), diagnostics


def _read(kind: str, path: str | None, snapshot: Snapshot, subject: Subject, into: list[Diagnostic]) -> Document:
    if path is None:
        return Document()
    document = validate(kind, snapshot.files[path])
    into.extend(problem.in_file(path, subject) for problem in document.problems)
    into.extend(ambiguous_names(kind, document.root, path, subject))
    return document


def _is_blamed(node: Node, document: Document) -> bool:
    return any((p.line, p.column) == (node.line, node.column) for p in document.problems)


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

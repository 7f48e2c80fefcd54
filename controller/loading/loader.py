"""A snapshot to the declared state: everything that it says, and every mistake at once with what it holds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from controller.loading.generated import at_causes
from controller.loading.inheritance import Branch, as_branch, over
from controller.loading.nodes import find, text_of
from controller.loading.printable import printable
from controller.loading.reading import DeclaredVersion, Reading, read_declared
from controller.loading.rules import (
    alias_version,
    code_elsewhere,
    endpoint_keys,
    reserved_variables,
    scaling,
    shared_segment,
    version_deployments,
)
from controller.loading.settings import endpoint_settings, idle_replicas, rollout, with_environment
from controller.loading.versions import read_version
from controller.model.declared import DeclaredState, Deployment, EndpointDefinition, EndpointSettings, ServedVersion
from controller.model.diagnostics import PROJECT, Diagnostic, Location, Severity, Subject, ordered
from controller.model.source import Snapshot

_RULES = (
    alias_version.check,
    shared_segment.check,
    endpoint_keys.check,
    version_deployments.check,
    code_elsewhere.check,
    reserved_variables.check,
)

Held = Mapping[Subject, tuple[Diagnostic, ...]]


def load(snapshot: Snapshot, *, uncommitted: bool = False) -> DeclaredState:
    """Everything that a snapshot declares. Never raises for what a repository holds.

    `uncommitted` runs a version file that git does not hold yet as it is (`pointsman up`); else it is held.
    """
    reading, diagnostics = read_all(snapshot, uncommitted=uncommitted)
    diagnostics += snapshot.diagnostics
    deployments = {}
    for name in sorted(reading.merged):
        deployments[name], problems = _Settings(reading, name).deployment()
        diagnostics += problems
    for rule in _RULES:
        diagnostics += rule(reading)
    return _state(snapshot, reading, deployments, ordered(map(printable, diagnostics)))


def read_all(snapshot: Snapshot, *, uncommitted: bool) -> tuple[Reading, list[Diagnostic]]:
    """Every declared file, the versions with their code; nothing is looked at together yet."""
    reading, diagnostics = read_declared(snapshot)
    blamed = {d.subject for d in snapshot.diagnostics if d.is_error}
    versions: dict[str, DeclaredVersion] = {}
    for name, file in sorted(reading.layout.versions.items()):
        declared, found = read_version(name, file, snapshot, uncommitted=uncommitted)
        diagnostics += found
        versions[name] = replace(declared, version=None) if Subject("version", name) in blamed else declared
    return replace(reading, versions=versions), diagnostics


class _Settings:
    """The settings of one deployment. Versions that say nothing of their own share them, so 2,000 versions stay cheap."""

    def __init__(self, reading: Reading, name: str) -> None:
        self._reading, self._name = reading, name
        self._merged = reading.merged[name]
        self._shared: dict[tuple[str, bool], EndpointSettings] = {}
        self._problems: list[Diagnostic] = []

    def deployment(self) -> tuple[Deployment, list[Diagnostic]]:
        merged = self._merged
        versions = {v.name: self._served(v) for v in self._reading.versions_of(self._name) if v.version is not None}
        file = self._reading.layout.deployments[self._name]
        self._problems += _deadline_problems(merged, self._name)
        return Deployment(
            name=self._name,
            versions={name: served for name, served in versions.items() if served is not None},
            aliases=self._reading.aliases.get(self._name, {}),
            target=merged.text("target"),
            basic_auth=merged.text("access", "basicAuth", "secret"),
            idle_replicas=idle_replicas(merged),
            rollout=rollout(merged.branch("rollout")),
            location=Location(file, 1, 1),
        ), self._problems

    def _served(self, declared: DeclaredVersion) -> ServedVersion | None:
        if declared.version is None:
            return None
        own = declared.settings
        merged = as_branch(over(self._merged, own)) if own.children else self._merged
        settings = {}
        for name, endpoint in declared.version.endpoints.items():
            if "endpoints" in own.children:
                settings[name] = self._own(merged, endpoint.definition, declared)
            else:
                shared = self._shared_one(endpoint.definition, declared)
                settings[name] = with_environment(shared, merged, name) if own.children else shared
        return ServedVersion(declared.version, settings)

    def _shared_one(self, definition: EndpointDefinition, declared: DeclaredVersion) -> EndpointSettings:
        key = (definition.name, bool(definition.resources.get("cpu")))
        if key not in self._shared:
            self._shared[key] = self._own(self._merged, definition, declared)
        return self._shared[key]

    def _own(self, merged: Branch, definition: EndpointDefinition, declared: DeclaredVersion) -> EndpointSettings:
        settings = endpoint_settings(merged, definition.name)
        found = scaling.check_endpoint(merged, definition, settings)
        self._problems += [self._blamed(d, declared) for d in found]
        return settings

    def _blamed(self, diagnostic: Diagnostic, declared: DeclaredVersion) -> Diagnostic:
        """A version's own value holds the version; any other the deployment."""
        own = diagnostic.location.file == declared.file
        subject = Subject("version", declared.name) if own else Subject("deployment", self._name)
        return replace(diagnostic, subject=subject)


def _deadline_problems(merged: Branch, name: str) -> Iterator[Diagnostic]:
    deadline = merged.get("rollout", "deadline")
    if deadline is not None and rollout(merged.branch("rollout")).deadline <= 0:
        subject = Subject("deployment", name)
        message, hint = "`deadline` is zero: every switch would be given up at once", "give a time such as 10m"
        yield Diagnostic("PM204", Severity.ERROR, message, deadline.location, subject, hint)


def _state(
    snapshot: Snapshot, reading: Reading, deployments: Mapping[str, Deployment], diagnostics: tuple[Diagnostic, ...]
) -> DeclaredState:
    diagnostics = ordered([*diagnostics, *_aliases_of_held(reading, diagnostics)])
    if snapshot.generated:
        diagnostics = at_causes(diagnostics, snapshot.files)
    held = _held(diagnostics)
    broken = {s.name for s, found in held.items() if s.kind == "version" and not all(_is_edit(d) for d in found)}
    versions = {v.name: v.version for v in reading.versions.values() if v.version is not None and v.name not in broken}
    kept = {} if PROJECT in held else _without_held(deployments, held, broken)
    return DeclaredState(
        revision=snapshot.revision,
        owner=text_of(find(reading.project, "owner")) or "",
        project=text_of(find(reading.project, "name")) or "",
        versions=versions,
        deployments=kept,
        held=held,
        diagnostics=tuple(d for d in diagnostics if not (snapshot.generated and d.code == alias_version.HELD)),
        allow_secrets=tuple(text_of(node) or "" for node in reading.allowed_secrets),
    )


def _aliases_of_held(reading: Reading, diagnostics: Iterable[Diagnostic]) -> Iterator[Diagnostic]:
    """A rule may have found a version's mistake only after its aliases were looked at."""
    found = [d for d in diagnostics if d.is_error]
    broken = {d.subject.name for d in found if d.subject.kind == "version" and not _is_edit(d)}
    blamed = {d.subject for d in found}
    for deployment, alias in reading.all_aliases():
        subject = Subject("alias", f"{deployment}/{alias.name}")
        if alias.version in broken and subject not in blamed:
            yield alias_version.led_to_held(alias, subject)


def _held(diagnostics: Iterable[Diagnostic]) -> Held:
    held: dict[Subject, list[Diagnostic]] = {}
    for diagnostic in diagnostics:
        if diagnostic.severity is Severity.ERROR:
            held.setdefault(diagnostic.subject, []).append(diagnostic)
    return {subject: tuple(found) for subject, found in held.items()}


def _is_edit(diagnostic: Diagnostic) -> bool:
    """An edit of a version is held while the version itself goes on as it was made."""
    return diagnostic.code == "PM311"


def _without_held(deployments: Mapping[str, Deployment], held: Held, broken: set[str]) -> dict[str, Deployment]:
    kept = {}
    for name, deployment in deployments.items():
        if Subject("deployment", name) not in held:
            aliases = {n: a for n, a in deployment.aliases.items() if Subject("alias", f"{name}/{n}") not in held}
            versions = {n: v for n, v in deployment.versions.items() if n not in broken}
            kept[name] = replace(deployment, aliases=aliases, versions=versions)
    return kept

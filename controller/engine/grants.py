"""Git claims, the configuration grants: what a source may not use is a mistake of the repository that claims it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import cache, partial

from controller.engine.placing import Placing
from controller.engine.sources import Source
from controller.images.registry.granted_bases import ANY_BASE, BaseGrants
from controller.loading.printable import shown
from controller.loading.rules import alias_version
from controller.loading.schema_problems import did_you_mean
from controller.model.declared import Alias, DeclaredState, Deployment, Version
from controller.model.diagnostics import PROJECT, Diagnostic, Location, Severity, Subject, ordered


@dataclass(frozen=True, slots=True)
class Granted:
    """A source with what it may use: `projects` are patterns of `owner/project`, `targets` patterns of names.

    `bases` are the images that its versions may build on, `indexes` the names of package indexes, `file_prefixes` what the
    addresses of their files may begin with (None: any).
    """

    source: Source
    projects: tuple[str, ...] = ("*/*",)
    targets: tuple[str, ...] = ("*",)
    bases: BaseGrants = ANY_BASE
    indexes: tuple[str, ...] = ()
    file_prefixes: tuple[str, ...] | None = None


def granted_state(declared: DeclaredState, granted: Granted, placing: Placing, directory: str) -> DeclaredState:
    """What is declared, without what is claimed in vain; `directory` is the declared one, for the places of mistakes."""
    declared = replace(declared, indexes=granted.indexes, file_prefixes=granted.file_prefixes)
    project = f"{declared.owner}/{declared.project}"
    if declared.owner and not _allows(granted.projects, project):
        return without_project(declared, _ungranted_project(project, directory))
    placed = _without(declared, [d for each in declared.deployments.values() if (d := _misplaced(each, granted, placing))])
    return without_ungranted_bases(placed, granted.bases)


def without_ungranted_bases(declared: DeclaredState, bases: BaseGrants) -> DeclaredState:
    """What is declared, without the versions that claim a base image in vain and the aliases that lead to them."""
    complaint = cache(partial(bases.complaint, project=f"{declared.owner}/{declared.project}"))
    enabled = (version for _, version in sorted(declared.versions.items()) if version.enabled)
    return without_versions(declared, [d for version in enabled for d in _ungranted_bases(version, bases, complaint)])


def without_project(declared: DeclaredState, diagnostic: Diagnostic) -> DeclaredState:
    """The state of a project that one mistake holds whole."""
    return replace(_without(declared, [diagnostic]), deployments={})


def project_of_two(project: str, first: str, second: str, directory: str) -> Diagnostic:
    """The mistake of the second source that declares a project."""
    message = f"the project {project} is declared by `{first}` already; `{second}` declares it a second time"
    hint = "remove one of them, or give one project another name or owner"
    return Diagnostic("PM603", Severity.ERROR, message, Location(f"{directory}/project.yaml"), PROJECT, hint)


def _without(declared: DeclaredState, diagnostics: Iterable[Diagnostic]) -> DeclaredState:
    found = tuple(diagnostics)
    if not found:
        return declared
    held = dict(declared.held)
    for diagnostic in found:
        held[diagnostic.subject] = (*held.get(diagnostic.subject, ()), diagnostic)
    kept = {name: each for name, each in declared.deployments.items() if Subject("deployment", name) not in held}
    return replace(declared, deployments=kept, held=held, diagnostics=ordered((*declared.diagnostics, *found)))


def without_versions(declared: DeclaredState, mistakes: Sequence[Diagnostic]) -> DeclaredState:
    """The state without the versions that mistakes hold, and without the aliases that lead to them."""
    broken = {diagnostic.subject.name for diagnostic in mistakes}
    if not broken:
        return declared
    led = [d for each in declared.deployments.values() for a in each.aliases.values() if (d := _of_held(each, a, broken))]
    kept = {name: _without_held(each, broken) for name, each in declared.deployments.items()}
    versions = {name: version for name, version in declared.versions.items() if name not in broken}
    return _without(replace(declared, deployments=kept, versions=versions), [*mistakes, *led])


def _without_held(deployment: Deployment, broken: Collection[str]) -> Deployment:
    versions = {name: served for name, served in deployment.versions.items() if name not in broken}
    aliases = {name: alias for name, alias in deployment.aliases.items() if alias.version not in broken}
    return replace(deployment, versions=versions, aliases=aliases)


def _of_held(deployment: Deployment, alias: Alias, broken: Collection[str]) -> Diagnostic | None:
    if alias.version not in broken:
        return None
    return alias_version.led_to_held(alias, Subject("alias", f"{deployment.name}/{alias.name}"))


def _ungranted_bases(version: Version, bases: BaseGrants, complaint: Callable[[str], str | None]) -> Iterator[Diagnostic]:
    known = f"granted: {', '.join(bases.patterns)}; " if bases.patterns else ""
    hint = f"{known}ask whoever runs the controller to add it to the source's `grants.baseImages`"
    for endpoint in version.endpoints.values():
        if words := complaint(endpoint.base):
            place = endpoint.base_location
            where = "" if place.file == version.location.file else f" (in the code of version `{version.name}`)"
            message = f"the base image `{shown(endpoint.base)}` {words}{where}"
            yield Diagnostic("PM605", Severity.ERROR, message, place, Subject("version", version.name), hint)


def _ungranted_project(project: str, directory: str) -> Diagnostic:
    message = f"this source may not serve the project {project}"
    hint = "ask whoever runs the controller to add it to the source's `grants.projects`"
    return Diagnostic("PM601", Severity.ERROR, message, Location(f"{directory}/project.yaml"), PROJECT, hint)


def _misplaced(deployment: Deployment, granted: Granted, placing: Placing) -> Diagnostic | None:
    if placing.everywhere:
        return None
    name = placing.target_of(deployment)
    if name is None:
        known = ", ".join(sorted(placing.names)) or "none is configured"
        return _of_target(deployment, "PM604", "names no target, and none is the default", f"add `target:` ({known})")
    if name not in placing.names:
        hint = did_you_mean(name, sorted(placing.names)) or "targets are named in the controller's configuration"
        return _of_target(deployment, "PM604", f"names the target `{name}`, which the controller does not have", hint)
    if not _allows(granted.targets, name):
        hint = "ask whoever runs the controller to add it to the source's `grants.targets`"
        return _of_target(deployment, "PM602", f"may not be served on the target `{name}`", hint)
    return None


def _of_target(deployment: Deployment, code: str, words: str, hint: str) -> Diagnostic:
    place = Location(deployment.location.file)
    subject = Subject("deployment", deployment.name)
    return Diagnostic(code, Severity.ERROR, f"deployment `{deployment.name}` {words}", place, subject, hint)


def _allows(patterns: Iterable[str], name: str) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)

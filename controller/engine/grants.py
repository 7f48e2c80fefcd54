"""Git claims, the configuration grants: what a source may not use is a mistake of the repository that claims it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from controller.engine.placing import Placing
from controller.engine.sources import Source
from controller.loading.schema_problems import did_you_mean
from controller.model.declared import DeclaredState, Deployment
from controller.model.diagnostics import PROJECT, Diagnostic, Location, Severity, Subject, ordered


@dataclass(frozen=True, slots=True)
class Granted:
    """A source with what it may use: `projects` are patterns of `owner/project`, `targets` patterns of names."""

    source: Source
    projects: tuple[str, ...] = ("*/*",)
    targets: tuple[str, ...] = ("*",)


def granted_state(declared: DeclaredState, granted: Granted, placing: Placing, directory: str) -> DeclaredState:
    """What is declared, without what is claimed in vain; `directory` is the declared one, for the places of mistakes."""
    project = f"{declared.owner}/{declared.project}"
    if declared.owner and not _allows(granted.projects, project):
        return without_project(declared, _ungranted_project(project, directory))
    return _without(declared, [d for each in declared.deployments.values() if (d := _misplaced(each, granted, placing))])


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

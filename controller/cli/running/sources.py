"""Configured sources as mirrors that are polled, each with what it may use."""

from __future__ import annotations

from collections.abc import Mapping

from controller.engine.grants import Granted
from controller.engine.sources import Source
from controller.images.registry.granted_bases import BaseGrants
from controller.model.configuration import Configuration, Grants, SourceSettings, StateSettings
from controller.source.credentials import authorities_environment, ssh_environment, token_environment
from controller.source.elsewhere import GrantedRepositories
from controller.source.mirror import Mirror
from controller.source.polled import PolledMirror


def polled_source(settings: SourceSettings, state: StateSettings) -> PolledMirror:
    """The source of one repository, not started yet. Raises Stalled for a URL that is refused."""
    environment, directory = git_environment(settings), state.mirrors / settings.name
    urls, local = settings.grants.code_repositories, settings.is_local
    repositories = GrantedRepositories(urls, state=directory / "code", local=local, environment=environment)
    mirror = Mirror(
        settings.repository,
        state=directory,
        branch=settings.branch,
        directory=settings.path,
        local=local,
        environment=environment,
        repositories=repositories,
    )
    return PolledMirror(mirror, interval=settings.interval, file_prefixes=settings.grants.file_prefixes)


def granted(settings: SourceSettings, source: Source, configuration: Configuration) -> Granted:
    """A source with its grants, as the engine enforces them."""
    grants = settings.grants
    bases = base_grants(grants, configuration)
    return Granted(source, grants.projects, grants.targets, bases, grants.indexes, grants.file_prefixes)


def base_grants(grants: Grants, configuration: Configuration) -> BaseGrants:
    """What a source's versions may build on, beside the registries in which all projects' images lie."""
    found = (target.registry for target in configuration.targets.values())
    registries = tuple(sorted({(registry.url, registry.pull) for registry in found if registry}))
    return BaseGrants(grants.base_images, registries, configuration.mirrors)


def git_environment(settings: SourceSettings) -> Mapping[str, str]:
    """What git needs to read the repository, without a secret in it."""
    given, found = settings.credentials, dict[str, str]()
    if given.token:
        found.update(token_environment(settings.repository, given.token, given.username))
    if given.authorities:
        found.update(authorities_environment(given.authorities))
    if given.known_hosts:
        found.update(ssh_environment(given.ssh_key, given.known_hosts))
    return found

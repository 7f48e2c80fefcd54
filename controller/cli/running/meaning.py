"""What a configuration means, for `pointsman run --check`: one line per thing."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from controller.images.sizes import readable
from controller.model.configuration import (
    DOCKER_BUILDER,
    Configuration,
    EmbeddedAccess,
    InClusterAccess,
    RegistrySettings,
    SourceSettings,
    TargetSettings,
)
from controller.model.limits import Limits
from controller.plan.clean_up import window


def meaning(configuration: Configuration, chosen: Collection[str]) -> Iterator[str]:
    """The lines; `chosen` are the targets that this process would work on."""
    state = configuration.state.directory
    yield f"installation {configuration.installation}, state in {state}, /healthz on port {configuration.health[1]}"
    for source in configuration.sources.values():
        yield _source_line(source)
    for index in (configuration.package_indexes or {}).values():
        default = " (default)" if index.is_default else ""
        login = f", as {index.username} with the password in {index.password}" if index.password else ""
        yield f"packages from {index.name}{default}: {index.url}{login}"
    for target in configuration.targets.values():
        default = " (default)" if target.name == configuration.default else ""
        absent = "" if target.name in chosen else " (another process has it)"
        yield f"target {target.name}{default}{absent}: {_target_line(target)}"


def _source_line(source: SourceSettings) -> str:
    place = f"{source.repository} {source.branch or '(default branch)'} {source.path}/"
    grants = f"projects {', '.join(source.grants.projects)} on targets {', '.join(source.grants.targets)}"
    if source.grants.indexes:
        grants += f", packages from {', '.join(source.grants.indexes)}"
    if source.grants.base_images is not None:
        grants += f", on base images {', '.join(source.grants.base_images) or '(none)'}"
    return f"source {source.name}: {place} every {source.interval:g} s; {grants}"


def _target_line(target: TargetSettings) -> str:
    if isinstance(target.access, EmbeddedAccess):
        return f"embedded, state in {target.access.state}, runtime {target.access.runtime}"
    if isinstance(target.access, InClusterAccess):
        reached = "the cluster around this pod"
    else:
        reached = f"kubeconfig {target.access.kubeconfig or '(default)'}, context {target.access.context or '(current)'}"
    gateway = target.gateway
    at = f"; gateway {gateway.namespace}/{gateway.name} at {gateway.url}" if gateway else ""
    return f"{reached}{at}{_images(target.registry) if target.registry else ''}"


def _images(registry: RegistrySettings) -> str:
    kept = window(registry.clean_up.keep) if registry.clean_up else None
    fate = f"deleted once nothing has needed them for {kept}" if kept else "never deleted"
    builder = "built by a Docker Engine, " if registry.builder == DOCKER_BUILDER else ""
    return f"; images to {registry.url}, pulled as {registry.pull}, {builder}{fate}{_limits(registry.limits)}"


def _limits(limits: Limits) -> str:
    """Nothing where all of them are the usual ones."""
    if limits == Limits():
        return ""
    file = readable(limits.file) if limits.file is not None else "what the registry takes"
    return f", limits: code {readable(limits.code)}, one file {file}, image {readable(limits.image)}"

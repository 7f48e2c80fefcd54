"""Which builder makes a target's images: layers appended in its registry, or a Docker Engine that pushes there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from controller.cli.context import environment
from controller.dockerd.connection import Connect
from controller.images.docker.pushing import PushingBuilder
from controller.images.registry.auth import Credentials, parse_docker_config, run_helper
from controller.images.registry.builder import RegistryBuilder
from controller.model.configuration import DOCKER_BUILDER, Configuration, RegistrySettings, TargetSettings
from controller.model.errors import Stalled


def registry_builder(
    registry: RegistrySettings, security: str, configuration: Configuration, connect: Connect
) -> RegistryBuilder:
    """The builder of a registry's images; `connect` is asked for an Engine only when one has to build."""
    pushes = registry.builder == DOCKER_BUILDER
    make: Callable[..., RegistryBuilder] = partial(PushingBuilder, connect=connect) if pushes else RegistryBuilder
    return make(
        registry.url,
        registry.pull,
        configuration.state.cache / "images",
        mirrors=configuration.mirrors,
        credentials=_credentials(registry.credentials) if registry.credentials else None,
        environment=environment(),
        security=security,
        limits=registry.limits,
        indexes=configuration.package_indexes,
    )


def with_builder(configuration: Configuration, builder: str) -> Configuration:
    """The same for a person who wants all images built in one way, whatever the file says."""
    targets = {name: _built_by(target, builder) for name, target in configuration.targets.items()}
    return replace(configuration, targets=targets)


def _built_by(target: TargetSettings, builder: str) -> TargetSettings:
    return replace(target, registry=replace(target.registry, builder=builder)) if target.registry else target


def _credentials(file: Path) -> Credentials:
    try:
        return parse_docker_config(file.read_text("utf-8"), str(file), run_helper)
    except (OSError, UnicodeDecodeError) as error:
        raise Stalled(f"the registry's credentials {file} cannot be read: {error}") from error

"""What to build for one endpoint of one version."""

from __future__ import annotations

from controller.model.declared import DeclaredState, Version, VersionEndpoint
from controller.model.desired import TargetProfile
from controller.model.images import BuildTerms, ImageSpec
from controller.render.command import Command, endpoint_command


def image_spec(declared: DeclaredState, version: Version, endpoint: str, target: TargetProfile) -> ImageSpec:
    """The specification of the endpoint's image on a target, whose process runtime replaces every base."""
    found = version.endpoints[endpoint]
    command = image_command(found, target)
    paths = {file.name: file.path for file in found.definition.files}
    return ImageSpec(
        repository=f"{target.registry}/{declared.owner}/{declared.project}",
        base=target.base_platform or found.base,
        platform=target.platform,
        code=version.code,
        command=command.shell,
        port=command.port,
        files={paths[name]: content for name, content in found.files.items() if name in paths},
        requirements=found.requirements,
        locked=found.locked,
        indexes=declared.indexes,
        wsgi=found.definition.wsgi is not None,
        shim=command.shim,
        name=f"{version.name}/{endpoint}",
        terms=BuildTerms(declared.allow_secrets, declared.file_prefixes),
    )


def image_command(endpoint: VersionEndpoint, target: TargetProfile) -> Command:
    """The command that the image starts with; a container of it says the same."""
    packages = endpoint.requirements is not None or endpoint.locked or endpoint.definition.wsgi is not None
    return endpoint_command(endpoint.definition, in_container=target.base_platform is None, packages=packages)

"""One endpoint of one version with one set of settings: its objects and what the plan must know of it."""

from __future__ import annotations

from collections.abc import Mapping

from controller.model import labels
from controller.model.declared import USERS_KEY, DeclaredState, Deployment, Environment, SecretRef, ServedVersion
from controller.model.desired import Workload
from controller.model.images import Image, ImageSpec, ImageState
from controller.render import probes, scaling
from controller.render.deployment import PodSettings, deployment
from controller.render.environment import environment, secrets
from controller.render.images import image_command, image_spec
from controller.render.metadata import metadata_text
from controller.render.names import workload_name
from controller.render.placement import placement, resources
from controller.render.scope import Scope
from controller.render.service import service


def workload(
    scope: Scope,
    declared: DeclaredState,
    served_by: Deployment,
    served: ServedVersion,
    endpoint: str,
    *,
    images: Mapping[str, ImageState],
) -> Workload:
    """Render one endpoint; `images` maps image keys to what is known of them."""
    version, settings = served.version, served.settings[endpoint]
    found = version.endpoints[endpoint]
    spec = image_spec(declared, version, endpoint, scope.target)
    image = images.get(spec.key)
    pods = PodSettings(
        image=_reference(spec, image),
        command=image_command(found, scope.target),
        environment=environment(
            settings.environment,
            prefix=f"{scope.unit.path}/{version.name}/{endpoint}",
            port=found.definition.port,
            in_container=scope.in_container,
        ),
        resources=resources(found.definition, settings),
        placement=placement(found.definition, settings),
        probe=probes.probe(settings.health),
        metadata=metadata_text(scope.unit, version, found),
        timeout=settings.timeout,
    )
    name = _name(scope, version.name, endpoint, spec, pods)
    said = {labels.VERSION: version.name, labels.ENDPOINT: endpoint}
    return Workload(
        name=name,
        version=version.name,
        endpoint=endpoint,
        deployment=deployment(scope, name, pods, served_by.rollout, said),
        service=service(scope, name, said),
        port=pods.command.port,
        scale=settings.scale,
        spec=spec,
        image=image,
        autoscaler=scaling.autoscaler(scope, name, settings.scale, pods.resources, said),
        disruption=scaling.disruption(scope, name, said),
        secrets=_needed_secrets(pods.environment, served_by.basic_auth),
        golden=found.golden,
        min_ready_seconds=scope.target.min_ready_seconds,
        timeout=settings.timeout,
    )


def _name(scope: Scope, version: str, endpoint: str, spec: ImageSpec, pods: PodSettings) -> str:
    return workload_name(
        scope.unit,
        version,
        endpoint,
        image_key=spec.key,
        command=pods.command.arguments,
        environment=pods.environment,
        resources=pods.resources,
        placement=pods.placement,
        probe=pods.probe,
        security=scope.target.security,
    )


def _reference(spec: ImageSpec, image: ImageState) -> str:
    """By digest once it is built; until then a name for people to read, which the plan never applies."""
    return image.reference if isinstance(image, Image) else f"{spec.repository}:{spec.tag}"


def _needed_secrets(environment: Environment, basic_auth: str | None) -> tuple[SecretRef, ...]:
    """Without its users' Secret an endpoint would have to be open or broken, so its workload waits for that too."""
    users = (SecretRef(basic_auth, USERS_KEY),) if basic_auth else ()
    return tuple(sorted({*secrets(environment), *users}))

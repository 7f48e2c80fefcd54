"""Base images as an Engine has them: what lies there already is taken as it is, as `docker run` does; else it is pulled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from controller.dockerd.images import find_image
from controller.dockerd.streams import read_stream
from controller.images.base import Base
from controller.images.host import HOST
from controller.images.registry.auth import Credentials
from controller.images.registry.bases import platform_of
from controller.images.registry.reference import DOCKER_HUB, Reference, parse_reference
from controller.loading.printable import shown
from controller.model.errors import Stalled
from controller.model.images import ImageSpec
from controller.model.ports import Progress

if TYPE_CHECKING:
    from docker import DockerClient


@dataclass(frozen=True, slots=True)
class EngineBase:
    """A base and the id under which the Engine has it."""

    base: Base
    id: str


def find_base(client: DockerClient, spec: ImageSpec, credentials: Credentials | None, progress: Progress) -> EngineBase:
    """The spec's base at the digest that the unit remembers, else what its name leads to in the Engine or its registry.

    Raises `Stalled` where there is none for the spec's platform.
    """
    reference = _reference(spec)
    found = _present(client, reference, spec) or _pulled(client, reference, spec, credentials, progress)
    _require_platform(found, spec.platform, reference)
    configuration = {"os": found["Os"], "architecture": found["Architecture"], "config": found.get("Config") or {}}
    return EngineBase(Base(_digest(found, reference), configuration), str(found["Id"]))


def pull(
    client: DockerClient, reference: Reference, platform: str, credentials: Credentials | None, progress: Progress
) -> None:
    """Let the Engine pull an image, with a login that these credentials have for its registry."""
    attempt = f"pull the base image {reference}"
    name = f"{reference.registry}/{reference.repository}"
    logged_in = login(credentials, reference.registry)
    options: dict[str, Any] = {"tag": reference.name, "platform": platform, "auth_config": logged_in, "stream": True}
    known: dict[str, tuple[int, int]] = {}
    for line in read_stream(lambda: client.api.pull(name, decode=True, **options), attempt):
        progress(f"pulling the base image {reference}", *advance(line, "Downloading", known))


def advance(line: Mapping[str, Any], doing: str, known: dict[str, tuple[int, int]]) -> tuple[int, int]:
    """Bytes done and in all after a line of a pull or push; `known` keeps those of each layer."""
    detail = line.get("progressDetail") or {}
    if line.get("status") == doing and detail.get("total"):
        known[str(line.get("id"))] = (int(detail["current"]), int(detail["total"]))
    return sum(done for done, _ in known.values()), sum(total for _, total in known.values())


def login(credentials: Credentials | None, registry: str) -> dict[str, str] | None:
    """What the Engine is to show to a registry; empty for no login, None for what `docker login` has kept."""
    if credentials is None:
        return None
    found = credentials.login(registry)
    if found is None:
        return {}
    if found.identity:
        return {"identitytoken": found.identity.reveal()}
    return {"username": found.user, "password": found.password.reveal()}


def _reference(spec: ImageSpec) -> Reference:
    if spec.base.startswith(HOST):
        raise Stalled(f"the image is for {spec.base}, which no Docker Engine runs", hint="use the process runtime")
    reference = parse_reference(spec.base)
    place = spec.repository.partition("/")[0]
    if reference.registry == place and f"{reference.registry}/{reference.repository}" != spec.repository:
        hint = "name a base image of a registry"
        raise Stalled(f"the base image {spec.base} lies where the controller keeps the images of other projects", hint=hint)
    return replace(reference, digest=spec.base_digest) if spec.base_digest and not reference.digest else reference


def _present(client: DockerClient, reference: Reference, spec: ImageSpec) -> Mapping[str, Any] | None:
    """What the Engine has under the name; a remembered digest may be the id of an image that no registry knows.

    An id that a project writes itself counts for nothing: it could be another project's image.
    """
    remembered = spec.base_digest if spec.base_digest not in spec.base else ""
    for name in (str(reference), remembered):
        found = find_image(client, name) if name else None
        if found:
            return found
    return None


def _pulled(
    client: DockerClient, reference: Reference, spec: ImageSpec, credentials: Credentials | None, progress: Progress
) -> Mapping[str, Any]:
    pull(client, reference, spec.platform, credentials, progress)
    found = _present(client, reference, spec)
    if found is None:
        raise Stalled(f"the Docker Engine pulled {reference}, but does not have it", hint="find out what removes its images")
    return found


def _digest(found: Mapping[str, Any], reference: Reference) -> str:
    """What the name meant: its digest in the registry, else the image's id, so that a unit can remember that too."""
    hub = reference.registry == DOCKER_HUB
    names = {f"{reference.registry}/{reference.repository}"}
    names |= {reference.repository, reference.repository.removeprefix("library/")} if hub else set()
    digests = (item.partition("@") for item in found.get("RepoDigests") or ())
    return reference.digest or next((digest for name, _, digest in digests if name in names), str(found["Id"]))


def _require_platform(found: Mapping[str, Any], platform: str, reference: Reference) -> None:
    lower = {"os": found.get("Os"), "architecture": found.get("Architecture"), "variant": found.get("Variant")}
    has = platform_of(lower)
    if has.split("/")[:2] != platform.split("/")[:2]:
        message = f"the base image {reference} in the Docker Engine is for {shown(has)}, and its containers run {platform}"
        raise Stalled(message, hint=f"docker pull --platform {platform} {reference}")

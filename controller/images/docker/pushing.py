"""Builds version images in a Docker Engine and lets it push them, for targets whose registry only the Engine should write to.

Everything around that is the other builder's: what the base's name leads to, what requirements are installed for, and how an
image is found. One counts only when it says of itself what the other builder's do, which the Engine's own push cannot do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from controller.dockerd.connection import Connect, engine_errors
from controller.dockerd.images import find_image
from controller.dockerd.streams import read_stream
from controller.images.base import Base
from controller.images.build import Build
from controller.images.docker.assembler import Assembler
from controller.images.docker.bases import advance, login, pull
from controller.images.docker.cleaning import EngineCleaner
from controller.images.docker.steps import Steps
from controller.images.layers import Layer
from controller.images.manifest import CONFIG_TYPE, LAYER_KIND, configuration, image_annotations
from controller.images.registry.auth import Credentials
from controller.images.registry.bases import FoundBase, oci_layer
from controller.images.registry.builder import RegistryBuilder, canonical
from controller.images.registry.client import OCI_MANIFEST, RegistryClient, digest_of
from controller.images.registry.push import Tell
from controller.images.registry.reference import DOCKER_HUB, Reference, default_location, parse_location
from controller.images.stored import checked_layers
from controller.model.errors import Stalled, Transient
from controller.model.images import ImageSpec
from controller.model.ports import Progress


class PushingBuilder(RegistryBuilder):
    """A `RegistryBuilder` whose layers an Engine lays and pushes. The Engine must reach both registries by itself."""

    def __init__(
        self, push: str, pull: str, cache: Path, *, connect: Connect, credentials: Credentials | None = None, **options: Any
    ) -> None:
        super().__init__(push, pull, cache, credentials=credentials, **options)
        self._connect = connect
        self._credentials = credentials or Credentials()
        location = parse_location(push)
        self._place = f"{location.host}/{location.path}" if location.path else location.host
        self._steps = Steps(self._bases)

    def clean(self, before: float) -> None:
        """Also the Engine's disk: a layer that is not there any more is sent to it again."""
        super().clean(before)
        EngineCleaner(self._connect, self._place, self._layout.root, self._cache).remove_unnamed((), before)

    def _publish(self, build: Build, found: FoundBase, layers: Sequence[Layer], tell: Tell) -> tuple[str, dict[str, Any]]:
        spec = build.spec
        name = spec.name or spec.tag
        content = checked_layers(build, self._layout, self._cache)
        base = self._present(found, spec, build.progress)
        assembler = Assembler(self._connect(), content, self._steps, f"build the image of {name}", build.progress)
        image = assembler.assemble(base, layers, configuration(spec, layers, found.base)["config"])
        self._push(image, spec, f"push the image of {name} to {self._place}", tell)
        client = RegistryClient(self._registries.session(self._location), lambda: tell(0, 0))
        return self._annotate(spec, layers, found.base, client)

    def _push(self, image: str, spec: ImageSpec, attempt: str, tell: Tell) -> None:
        name = f"{self._location.host}/{self._repository(spec)}"
        api = self._connect().api
        with engine_errors(attempt):
            api.tag(image, name, spec.tag)
        options: dict[str, Any] = {"tag": spec.tag, "auth_config": login(self._credentials, self._location.host)}
        known: dict[str, tuple[int, int]] = {}
        for line in read_stream(lambda: api.push(name, stream=True, decode=True, **options), attempt):
            tell(*advance(line, "Pushing", known))

    def _present(self, found: FoundBase, spec: ImageSpec, progress: Progress) -> str:
        """The id of the very base that was found, as the Engine has it; it is pulled only where it is missing."""
        host = found.origin.client.session.location.host
        registry = DOCKER_HUB if host == default_location(DOCKER_HUB).host else host
        reference = Reference(registry, found.origin.repository, digest=found.manifest)
        client = self._connect()
        known = find_image(client, str(reference))
        if known is None:
            pull(client, reference, spec.platform, self._credentials, progress)
            known = find_image(client, str(reference))
        if known is None:
            hint = "find out what removes the Engine's images; it is tried again"
            raise Transient(f"the base image {reference} vanished from the Docker Engine", hint=hint)
        return str(known["Id"])

    def _annotate(
        self, spec: ImageSpec, layers: Sequence[Layer], base: Base, client: RegistryClient
    ) -> tuple[str, dict[str, Any]]:
        """Let the tag lead to the same configuration and layers by a manifest that has the annotations."""
        repository = self._repository(spec)
        found = client.manifest(repository, spec.tag)
        if found is None:
            hint = "find out what else cleans up there; it is tried again"
            raise Transient(f"the image {spec.tag} vanished from its registry as soon as it was pushed", hint=hint)
        document = annotated(found.document, spec, layers, base)
        data = canonical(document)
        digest = digest_of(data)
        client.put_manifest(repository, digest, data)
        client.put_manifest(repository, spec.tag, data)
        return digest, document


def annotated(document: Mapping[str, Any], spec: ImageSpec, layers: Sequence[Layer], base: Base) -> dict[str, Any]:
    """An image's manifest with annotations, which only the OCI form has; `layers` are the last of its layers.

    It does not say what they were made of, as an appended image does: the Engine has packed them anew.

    Raises `Stalled` for something else than one image.
    """
    config, pushed = document.get("config"), document.get("layers") or ()
    if not config or len(pushed) < len(layers):
        hint = "turn off what makes the Engine push indexes or attestations, or use the builder `append`"
        raise Stalled(f"the Docker Engine pushed {spec.tag} in a form that is no image of one platform", hint=hint)
    below = len(pushed) - len(layers)
    plain = [oci_layer(item, f"image {spec.tag}") for item in pushed]
    ours = zip(plain[below:], layers, strict=True)
    return {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": {**config, "mediaType": CONFIG_TYPE},
        "layers": [*plain[:below], *({**item, "annotations": {LAYER_KIND: str(layer.kind)}} for item, layer in ours)],
        "annotations": image_annotations(spec, layers, base),
    }

"""Builds version images that stay in a Docker Engine, for endpoints that run there as containers."""

from __future__ import annotations

import ssl
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from controller.dockerd.connection import Connect, engine_errors
from controller.dockerd.images import find_image
from controller.images.assembly import own_layers
from controller.images.base import Base
from controller.images.build import Build
from controller.images.docker.assembler import Assembler
from controller.images.docker.bases import find_base
from controller.images.docker.interpreter import find_python
from controller.images.docker.steps import Steps
from controller.images.durable import disk_errors, exclusive
from controller.images.files import FileCache
from controller.images.installer import Installer
from controller.images.layers import Layer
from controller.images.layerstore import UNKEPT, LayerStore
from controller.images.layout import Layout
from controller.images.manifest import base_digest_in, configuration, image_annotations, warnings_in
from controller.images.notes import Notes
from controller.images.registry.auth import Credentials
from controller.images.stored import checked_layers
from controller.model.errors import Transient
from controller.model.images import Image, ImageSpec
from controller.model.ports import CodeReader, Progress


class EngineBuilder:
    """An `ImageBuilder` over an Engine, whose images are named `<repository>:<tag>` and are never pushed.

    An image's reference ends in the id by which the Engine runs it. `layout` and `cache` hold the layers, as for the
    builder of images on this machine, and so do the other options; without `credentials` bases are pulled as
    `docker login` allows.
    """

    def __init__(
        self,
        connect: Connect,
        layout: Path,
        cache: Path,
        *,
        allow_file_urls: bool = False,
        credentials: Credentials | None = None,
        environment: Mapping[str, str] | None = None,
        verify: ssl.SSLContext | bool = True,
    ) -> None:
        self._connect = connect
        self._cache = cache
        self._credentials = credentials
        self._layout = Layout(layout, synced=False)
        self._store = LayerStore(self._layout, cache, unkept=UNKEPT)
        self._files = FileCache(cache, allow_file_urls=allow_file_urls, verify=verify)
        self._installer = Installer(environment=environment, cache=cache / "uv")
        self._notes = Notes(cache)

    def find(self, spec: ImageSpec) -> Image | None:
        """The image of the spec's tag, as the Engine has it: one request."""
        found = find_image(self._connect(), f"{spec.repository}:{spec.tag}")
        if found is None:
            return None
        labels = (found.get("Config") or {}).get("Labels") or {}
        reference = f"{spec.repository}@{found['Id']}"
        return Image(spec.key, reference, str(found["Id"]), base_digest_in(labels), warnings_in(labels))

    def build(self, spec: ImageSpec, code: CodeReader, progress: Progress) -> Image:
        """Build what is missing, name last. One build per key at a time, of all processes that share the cache."""
        with disk_errors(), exclusive(self._cache / "locks" / f"image-{spec.key}"):
            found = self.find(spec)
            if found is None:
                self._build(spec, code, progress)
                found = self.find(spec)
        if found is None:
            hint = "find out what else removes the Engine's images; it is tried again"
            raise Transient(f"the image {spec.tag} vanished from the Docker Engine as soon as it was built", hint=hint)
        return found

    def _build(self, spec: ImageSpec, code: CodeReader, progress: Progress) -> None:
        client = self._connect()
        found = find_base(client, spec, self._credentials, progress)
        build = Build(spec, code, self._store, progress, found.base.owner, leaves=False)
        layers = own_layers(build, self._files, self._installer, lambda: find_python(client, self._notes, found, spec.platform))
        content = checked_layers(build, self._layout, self._cache)
        attempt = f"build the image of {spec.name or spec.tag}"
        assembler = Assembler(client, content, Steps(self._notes), attempt, progress)
        image = assembler.assemble(found.id, layers, labelled(spec, layers, found.base))
        with engine_errors(attempt):
            client.api.tag(image, spec.repository, spec.tag)


def labelled(spec: ImageSpec, layers: Sequence[Layer], base: Base) -> dict[str, Any]:
    """How the image runs, and as labels what others say in their manifest."""
    config: dict[str, Any] = configuration(spec, layers, base)["config"]
    return {**config, "Labels": {**(config.get("Labels") or {}), **image_annotations(spec, layers, base)}}

"""Builds version images into an OCI layout on this machine."""

from __future__ import annotations

import ssl
from collections.abc import Mapping, Sequence
from pathlib import Path

from controller.images.assembly import own_layers
from controller.images.build import Build
from controller.images.durable import disk_errors, exclusive
from controller.images.files import FileCache
from controller.images.host import HOST, host_base, python_version
from controller.images.installer import Installer, Python
from controller.images.layers import Layer
from controller.images.layerstore import LayerStore
from controller.images.layout import MANIFEST_TYPE, Layout
from controller.images.manifest import base_digest_of, blobs_of, configuration, manifest, warnings_of
from controller.model.errors import Stalled, Transient
from controller.model.images import Image, ImageSpec
from controller.model.ports import CodeReader, Progress


class LayoutBuilder:
    """An `ImageBuilder` for the process runtime: layers over this machine's Python, never pushed anywhere.

    `environment` is what installations may draw from (filtered; None = all of this process's). `verify` as in httpx.
    """

    def __init__(
        self,
        layout: Path,
        cache: Path,
        *,
        allow_file_urls: bool = False,
        environment: Mapping[str, str] | None = None,
        verify: ssl.SSLContext | bool = True,
    ) -> None:
        self._layout = Layout(layout)
        self._cache = cache
        self._store = LayerStore(self._layout, cache)
        self._files = FileCache(cache, allow_file_urls=allow_file_urls, verify=verify)
        self._installer = Installer(environment=environment)

    def find(self, spec: ImageSpec) -> Image | None:
        """The image of the spec's tag; None unless every blob that it names is there."""
        digest = self._layout.tagged(spec.tag)
        document = self._layout.read(digest) if digest else None
        if not digest or not document or not all(self._layout.has(*blob) for blob in blobs_of(document)):
            return None
        return Image(spec.key, f"{spec.repository}@{digest}", digest, base_digest_of(document), warnings_of(document))

    def build(self, spec: ImageSpec, code: CodeReader, progress: Progress) -> Image:
        """Build what is missing, tag last. One build per key at a time, of all processes that share the cache."""
        _require_host(spec)
        with disk_errors(), exclusive(self._cache / "locks" / f"image-{spec.key}"):
            found = self.find(spec)
            if found is None:
                self._publish(spec, self._layers(Build(spec, code, self._store, progress, leaves=False)))
                found = self.find(spec)
        if found is None:
            message = f"the image {spec.tag} vanished while it was built"
            raise Transient(message, hint="find out what else cleans up in its directory; it is tried again")
        return found

    def _layers(self, build: Build) -> list[Layer]:
        return own_layers(build, self._files, self._installer, lambda: Python(python_version(), build.spec.base))

    def _publish(self, spec: ImageSpec, layers: Sequence[Layer]) -> None:
        name = f"image-{spec.key}"
        config = self._layout.store(name, configuration(spec, layers))
        digest, size = self._layout.store(name, manifest(spec, config, layers))
        self._layout.publish(spec.tag, {"mediaType": MANIFEST_TYPE, "digest": digest, "size": size})


def _require_host(spec: ImageSpec) -> None:
    if not spec.base.startswith(HOST):
        message = f"the base image {spec.base} needs a registry or a Docker Engine, which this builder does not use"
        raise Stalled(message, hint=f"the process runtime builds for {host_base()} in its place")
    if spec.base != host_base():
        raise Stalled(f"the image is for {spec.base}, but this machine's Python is {host_base()}", hint="run with that Python")

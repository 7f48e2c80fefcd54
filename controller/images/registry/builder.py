"""Builds version images straight into a registry: layers over a base that is mounted there and never downloaded."""

from __future__ import annotations

import json
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from controller.images.assembly import own_layers
from controller.images.base import port_complaint, restricted_complaint
from controller.images.build import Build, CodeMemory
from controller.images.cleaning import ImageCleaner
from controller.images.durable import disk_errors, exclusive
from controller.images.files import FileCache
from controller.images.host import HOST
from controller.images.installer import Installer
from controller.images.layers import Layer
from controller.images.layerstore import UNKEPT, LayerStore
from controller.images.layout import Layout
from controller.images.manifest import base_digest_of, configuration, is_told, manifest, user_of, warnings_of
from controller.images.registry.auth import Credentials
from controller.images.registry.bases import Bases, FoundBase
from controller.images.registry.client import RegistryClient, digest_of
from controller.images.registry.interpreter import find_python
from controller.images.registry.known import Known
from controller.images.registry.push import PARALLEL, Blob, Pusher, Tell
from controller.images.registry.reference import parse_location, parse_reference
from controller.images.registry.registries import Registries
from controller.images.registry.related import IMAGE, RelatedImages, image_document
from controller.images.registry.session import FIRST_PAUSE, Tick
from controller.images.registry.shelf import Shelf
from controller.images.sizes import Sizes
from controller.images.stored import checked_layers
from controller.model.configuration import PackageIndex
from controller.model.errors import Stalled, Transient
from controller.model.images import Image, ImageSpec
from controller.model.limits import Limits
from controller.model.ports import CodeReader, Progress

_USUAL = Limits()
_BASES = "bases"


class RegistryBuilder:
    """An `ImageBuilder` for targets that run containers. Close it, or use it as a context manager.

    `push` is the registry's URL with the path of its repositories, `pull` the same as pods name it: the beginning of
    every `ImageSpec.repository`. `mirrors` maps registries, as base images are written, to URLs that are asked instead.
    `cache` is a directory of its own, which several processes may share. `security` is the target's profile, whose
    complaints become warnings, `limits` say how large parts of images may be. `environment` and `verify` are as for the
    builder of images on this machine; `first_pause` is how many seconds pass before the second try. `indexes` are the
    configuration's package indexes, which replace all that the account's own configuration says of where packages come from.
    """

    def __init__(
        self,
        push: str,
        pull: str,
        cache: Path,
        *,
        mirrors: Mapping[str, str] | None = None,
        credentials: Credentials | None = None,
        environment: Mapping[str, str] | None = None,
        security: str = "root-bounded",
        limits: Limits = _USUAL,
        parallel: int = PARALLEL,
        verify: ssl.SSLContext | bool = True,
        first_pause: float = FIRST_PAUSE,
        indexes: Mapping[str, PackageIndex] | None = None,
    ) -> None:
        self._location = parse_location(push)
        self._pull = pull.rstrip("/")
        self._security = security
        self._parallel = parallel
        self._cache = cache
        self._layout = Layout(cache / "layout", synced=False)
        self._store = LayerStore(self._layout, cache, unkept=UNKEPT)
        self._sizes = Sizes(limits, self._location.host)
        self._files = FileCache(cache, sizes=self._sizes, verify=verify)
        self._installer = Installer(environment=environment, cache=cache / "uv", indexes=indexes)
        self._bases = Bases(cache)
        self._known = Known()
        self._memory = CodeMemory()
        same = {self._pull.partition("/")[0]: self._location.url}
        names = same | dict(mirrors or {})
        self._registries = Registries(names, credentials or Credentials(), verify=verify, first_pause=first_pause)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections; a build under way fails."""
        self._registries.close()

    def find(self, spec: ImageSpec) -> Image | None:
        """The image of the spec's tag, as the registry has it: one request, and another one for an image new to us."""
        repository = self._repository(spec)
        client = RegistryClient(self._registries.session(self._location), _unwatched)
        digest = client.manifest_digest(repository, spec.tag)
        if digest is None:
            return None
        document = image_document(client, repository, digest, self._bases)
        return self._image(spec, digest, document) if document is not None and is_told(document) else None

    def build(self, spec: ImageSpec, code: CodeReader, progress: Progress) -> Image:
        """Build what is missing, tag last. One build per key at a time, of all processes that share the cache."""
        with disk_errors(), exclusive(self._cache / "locks" / f"image-{spec.key}"):
            return self.find(spec) or self._build(spec, code, progress)

    def shelf(self, project: str, tick: Tick) -> Shelf:
        """The images of a project (`owner/name`) where this builder pushes them; `tick` as for `RegistryClient`."""
        return Shelf(RegistryClient(self._registries.session(self._location), tick), self._location.below(project))

    def clean(self, before: float) -> None:
        """Give back the disk of layers last used before a time (seconds since the epoch); they are made again when needed."""
        ImageCleaner(self._layout.root, self._cache, unkept=UNKEPT).remove_unnamed((), before)
        self._bases.forget(IMAGE, before)
        self._installer.prune(before)

    def _build(self, spec: ImageSpec, code: CodeReader, progress: Progress) -> Image:
        def tick() -> None:
            progress(f"reading the base image of {spec.name or spec.tag}", 0, 0)

        base = self._base(spec, tick)
        self._sizes.require_image(spec, base.base.layers, ())
        client = RegistryClient(self._registries.session(self._location), tick)
        related = RelatedImages(client, self._repository(spec), spec.related, self._bases)
        find, owner = related.layer, base.base.owner
        build = Build(spec, code, self._store, progress, owner, find=find, memory=self._memory, sizes=self._sizes)
        layers = own_layers(build, self._files, self._installer, lambda: find_python(self._bases, base, spec.platform))
        self._sizes.require_image(spec, base.base.layers, layers)
        digest, document = self._publish(build, base, layers, partial(progress, f"pushing {spec.name or spec.tag}"))
        self._bases.remember(digest, IMAGE, document, durable=False)
        return self._image(spec, digest, document)

    def _base(self, spec: ImageSpec, tick: Tick) -> FoundBase:
        """The base at the digest that the unit remembers, else at the one that its name leads to now."""
        if spec.base.startswith(HOST):
            raise Stalled(f"the image is for {spec.base}, which is never pushed", hint="run it on the embedded target")
        reference = parse_reference(spec.base)
        if spec.base_digest and not reference.digest:
            reference = replace(reference, digest=spec.base_digest)
        return self._bases.find(reference, self._registries.origin(reference, tick), spec.platform)

    def _publish(self, build: Build, found: FoundBase, layers: Sequence[Layer], tell: Tell) -> tuple[str, dict[str, Any]]:
        """Let the tag lead to the image: its digest and its manifest."""
        spec = build.spec
        config = canonical(configuration(spec, layers, found.base))
        config_digest = digest_of(config)
        document = manifest(spec, (config_digest, len(config)), layers, found.base)
        content = checked_layers(build, self._layout, self._cache)
        blobs = [
            *(Blob(item["digest"], item["size"], origin=found.origin) for item in found.base.layers),
            *(Blob(layer.digest, layer.size, partial(content, layer)) for layer in layers),
            Blob(config_digest, len(config), lambda: iter((config,))),
        ]
        session = self._registries.session(self._location)
        bases = self._location.below(_BASES)
        pusher = Pusher(session, self._repository(spec), bases, self._known, tell, parallel=self._parallel)
        digest = pusher.push(blobs, canonical(document), spec.tag)
        if RegistryClient(session, _unwatched).manifest_digest(self._repository(spec), spec.tag) != digest:
            # distribution 2.8 answers 201 for a manifest that its garbage collection has removed, and does not keep it.
            message = f"the image {spec.tag} vanished from its registry as soon as it was pushed"
            hint = "restart the registry if it has collected its garbage; else find out what cleans up there"
            raise Transient(message, hint=hint)
        return digest, document

    def _repository(self, spec: ImageSpec) -> str:
        """Where the spec's images lie in the registry that is pushed to."""
        name = spec.repository.removeprefix(f"{self._pull}/")
        if name == spec.repository:
            message = f"{spec.repository} is not below {self._pull}, which this target's pods pull from"
            raise Stalled(message, hint="the target's registry and its builder's must be the same")
        return self._location.below(name)

    def _image(self, spec: ImageSpec, digest: str, document: dict[str, Any]) -> Image:
        """With what the build had to say, and what the target's security profile will."""
        user = restricted_complaint(user_of(document)) if self._security == "restricted" else None
        warnings = (*warnings_of(document), *filter(None, (user, port_complaint(spec.port, self._security))))
        return Image(spec.key, f"{spec.repository}@{digest}", digest, base_digest_of(document), warnings)


def _unwatched() -> None:
    """A look is short: nobody ends it."""


def canonical(value: Any) -> bytes:
    """A document's bytes, the same on every machine."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()

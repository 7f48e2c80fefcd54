"""Base images: what a name leads to, and what it is made of. Nothing of their layers is read here.

Manifests and configurations never change under their digest, so they are kept in the cache for ever: a base that its
registry no longer has can still be built on while its layers are in the registry that is pushed to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from controller.images.base import Base
from controller.images.notes import Notes
from controller.images.registry.client import INDEXES, Manifest
from controller.images.registry.push import Origin
from controller.images.registry.reference import Reference, require_digest
from controller.images.registry.shapes import require_configuration, require_manifest
from controller.loading.printable import shown
from controller.model.errors import Stalled

_UNKNOWN = "unknown/unknown"
_TYPES = {
    "application/vnd.docker.image.rootfs.diff.tar": "application/vnd.oci.image.layer.v1.tar",
    "application/vnd.docker.image.rootfs.diff.tar.gzip": "application/vnd.oci.image.layer.v1.tar+gzip",
    "application/vnd.docker.image.rootfs.diff.tar.zstd": "application/vnd.oci.image.layer.v1.tar+zstd",
}
_PLAIN = frozenset(_TYPES.values())


@dataclass(frozen=True, slots=True)
class FoundBase:
    """A base and where its layers are to be had. `manifest` is the digest of its platform's own manifest."""

    base: Base
    manifest: str
    origin: Origin


class Bases(Notes):
    """Reads base images through a cache directory."""

    def find(self, reference: Reference, origin: Origin, platform: str) -> FoundBase:
        """The base for a platform such as `linux/amd64`. Raises `Stalled` where there is none."""
        digest = reference.digest or origin.client.manifest_digest(origin.repository, reference.tag)
        if digest is None:
            raise _absent(reference)
        top = self._manifest(reference, origin, digest)
        image = top
        if top.media_type in INDEXES:
            image = self._manifest(reference, origin, _chosen(top.document, platform, reference))
        descriptor = image.document.get("config")
        if descriptor is None:
            raise Stalled(f"the base image {reference} has no configuration: it is no image that can run")
        configuration = self._document(origin, require_digest(str(descriptor.get("digest"))))
        require_configuration(configuration, reference)
        _require_platform(configuration, platform, reference)
        layers = _layers(image.document, configuration, reference)
        return FoundBase(Base(digest, configuration, layers), image.digest, origin)

    def _manifest(self, reference: Reference, origin: Origin, digest: str) -> Manifest:
        kept = self.note(digest, "manifest")
        if kept:
            return Manifest(digest, kept["media_type"], kept["document"])
        found = origin.client.manifest(origin.repository, digest)
        if found is None:
            raise _absent(reference)
        require_manifest(found.document, reference)
        self.remember(digest, "manifest", {"media_type": found.media_type, "document": found.document})
        return found

    def _document(self, origin: Origin, digest: str) -> dict[str, Any]:
        kept = self.note(digest, "configuration")
        if kept is None:
            kept = origin.client.document(origin.repository, digest)
            self.remember(digest, "configuration", kept)
        return kept


def platform_of(entry: Mapping[str, Any]) -> str:
    """`os/architecture[/variant]` of an index's entry or a configuration; arm64 is v8 without saying so."""
    architecture, variant = str(entry.get("architecture", "")), str(entry.get("variant") or "")
    plain = not variant or (architecture, variant) == ("arm64", "v8")
    return f"{entry.get('os', '')}/{architecture}" + ("" if plain else f"/{variant}")


def _chosen(index: Mapping[str, Any], platform: str, reference: Reference) -> str:
    """The digest of the platform's manifest; attestations are entries of an unknown platform."""
    entries = index.get("manifests") or ()
    offered = {platform_of(e.get("platform") or {}): str(e.get("digest")) for e in reversed(entries)}
    offered.pop(_UNKNOWN, None)
    if platform not in offered:
        others = shown(", ".join(sorted(offered))) or "nothing"
        message = f"the base image {reference} is not there for {platform}, only for {others}"
        raise Stalled(message, hint="name a base image that has this platform")
    return require_digest(offered[platform])


def _require_platform(configuration: Mapping[str, Any], platform: str, reference: Reference) -> None:
    found = platform_of(configuration)
    if found.split("/")[:2] != platform.split("/")[:2]:
        message = f"the base image {reference} is for {shown(found)}, and the target runs {platform}"
        raise Stalled(message, hint="name a base image that has this platform")


def _layers(document: Mapping[str, Any], configuration: Mapping[str, Any], reference: Reference) -> Sequence[Mapping[str, Any]]:
    layers = [oci_layer(item, f"base image {reference}") for item in document.get("layers") or ()]
    diff_ids = (configuration.get("rootfs") or {}).get("diff_ids") or ()
    if len(diff_ids) != len(layers):
        message = (
            f"the base image {reference} contradicts itself: {len(layers)} layers, but {len(diff_ids)} in its configuration"
        )
        raise Stalled(message, hint="push it again with a current tool")
    return tuple(layers)


def oci_layer(item: Mapping[str, Any], image: str) -> Mapping[str, Any]:
    """A layer's descriptor with the OCI name of its type; the bytes are the same. `image` names it in messages."""
    media_type = _TYPES.get(str(item.get("mediaType")), str(item.get("mediaType")))
    size = item.get("size")
    if media_type not in _PLAIN or not isinstance(size, int) or size < 0:
        message = f"the {image} has a layer that cannot be used: {shown(str(item.get('mediaType')))}"
        raise Stalled(message, hint="layers that are kept elsewhere (Windows) and encrypted ones cannot be appended to")
    return {"mediaType": media_type, "digest": require_digest(str(item.get("digest"))), "size": size}


def _absent(reference: Reference) -> Stalled:
    hint = "correct the image's name; one that was removed from its registry has to be pushed there again"
    return Stalled(f"the base image {reference} does not exist", hint=hint)

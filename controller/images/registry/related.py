"""Layers of a unit's other images: who builds the next one need not have the files that they were made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from controller.images.layers import Layer
from controller.images.manifest import file_layers
from controller.images.registry.bases import Bases
from controller.images.registry.client import RegistryClient

IMAGE = "image"
"""The note on an image of ours, beside those on bases."""

MOST = 8
"""Images that are looked into."""


class RelatedImages:
    """Images of one repository by their digests; each is read once, and only if something is looked for."""

    def __init__(self, client: RegistryClient, repository: str, digests: Sequence[str], notes: Bases) -> None:
        self._client = client
        self._repository = repository
        self._digests = digests[:MOST]
        self._notes = notes

    def layer(self, name: str) -> Layer | None:
        """The layer that was made of this input; whether the registry still has it is for who pushes to find out."""
        for digest in self._digests:
            found = file_layers(self._document(digest) or {}).get(name)
            if found is not None:
                return found
        return None

    def _document(self, digest: str) -> dict[str, Any] | None:
        return image_document(self._client, self._repository, digest, self._notes)


def image_document(client: RegistryClient, repository: str, digest: str, notes: Bases) -> dict[str, Any] | None:
    """The manifest of an image of ours, asked for once; None where it is gone."""
    document = notes.note(digest, IMAGE)
    if document is None:
        found = client.manifest(repository, digest)
        if found is None:
            return None
        document = found.document
        notes.remember(digest, IMAGE, document, durable=False)
    return document

"""Which image of an Engine has which layer over which parent: a build begins where former ones in the same order end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from controller.dockerd.images import find_image, remove_image
from controller.images.layers import Layer
from controller.images.notes import Notes
from controller.model.identity import content_hash

if TYPE_CHECKING:
    from docker import DockerClient

_NOTE = "engine-step"


class Steps:
    """Remembers steps in a cache directory; the images themselves have no name."""

    def __init__(self, notes: Notes) -> None:
        self._notes = notes

    def find(self, client: DockerClient, parent: str, layer: Layer) -> str | None:
        """The id of the image of this layer over the parent, if the Engine still has it."""
        known = (self._notes.note(_digest(parent, layer), _NOTE) or {}).get("image")
        return str(known) if known and find_image(client, str(known)) else None

    def remember(self, parent: str, layer: Layer, image: str) -> None:
        """Note what was made."""
        self._notes.remember(_digest(parent, layer), _NOTE, {"image": image})

    def remove(self, client: DockerClient, before: float) -> None:
        """Remove steps older than a time (seconds since the epoch) that no image rests on: the Engine refuses the others."""
        for digest in self._notes.older(_NOTE, before):
            image = (self._notes.note(digest, _NOTE) or {}).get("image")
            if not image or not find_image(client, image) or remove_image(client, image):
                self._notes.drop(digest, _NOTE)


def _digest(parent: str, layer: Layer) -> str:
    return f"sha256:{content_hash([parent, layer.diff_id])}"

"""The layers of a build on their way to elsewhere: what arrives there is what was made here, or nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

from controller.images.build import Build
from controller.images.files import cached
from controller.images.layers import Layer
from controller.images.layout import Layout
from controller.model.errors import Transient

Content = Callable[[Layer], Iterator[bytes]]
"""The bytes of a layer, from its beginning at each call."""


def checked_layers(build: Build, layout: Layout, cache: Path) -> Content:
    """Reads layers and checks each at its end; what was damaged on this disk goes, to be made or fetched again."""

    def blocks(layer: Layer) -> Iterator[bytes]:
        digest = hashlib.sha256()
        try:
            for block in build.blocks(layer):
                digest.update(block)
                yield block
        except FileNotFoundError as error:
            raise Transient(f"the layer {layer.digest} is no longer on the disk", hint="it is built again") from error
        if f"sha256:{digest.hexdigest()}" != layer.digest:
            layout.blob(layer.digest).unlink(missing_ok=True)
            if layer.source:
                cached(cache, layer.source).unlink(missing_ok=True)
            raise Transient(f"the layer {layer.digest} is damaged on the disk", hint="it is built again")

    return blocks

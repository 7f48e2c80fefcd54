"""The layer of Pointsman's own file: the one-request shim."""

from __future__ import annotations

import hashlib
from importlib.resources import files
from pathlib import Path

from controller.images.build import Build
from controller.images.layers import Contents, Layer, LayerKind, Member, in_blocks
from controller.images.paths import layer_path
from controller.model.images import OWN_DIRECTORY

SHIM = "shim.py"


def own_layer(build: Build) -> Layer:
    """The layer that holds the shim, the same for every image."""
    data = files("controller.images").joinpath(SHIM).read_bytes()

    def make(_scratch: Path) -> Contents:
        return Contents(OWN_DIRECTORY, [Member(layer_path(OWN_DIRECTORY, SHIM), len(data), in_blocks(data))])

    return build.layer(LayerKind.OWN, hashlib.sha256(data).hexdigest(), make)

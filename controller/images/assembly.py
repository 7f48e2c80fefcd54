"""The layers of a version's image that are its own, whatever it is based on."""

from __future__ import annotations

from collections.abc import Callable

from controller.images.build import Build
from controller.images.code import code_layer
from controller.images.dependencies import dependency_layer
from controller.images.files import FileCache, file_layer
from controller.images.installer import Installer, Python
from controller.images.layers import Layer
from controller.images.own import own_layer


def own_layers(build: Build, files: FileCache, installer: Installer, find_python: Callable[[], Python]) -> list[Layer]:
    """In the image's order; the code comes first in time, because its mistakes are the cheapest to find."""
    code = code_layer(build)
    declared = [file_layer(build, path, content, files) for path, content in sorted(build.spec.files.items())]
    dependencies = dependency_layer(build, installer, find_python)
    own = own_layer(build) if build.spec.shim else None
    return [*(layer for layer in (dependencies, own) if layer), *declared, code]

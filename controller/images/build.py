"""One build: what is asked for, where its bytes come from, and where its layers go."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from controller.images.layers import Layer, LayerKind
from controller.images.layerstore import LayerStore, Make
from controller.model.images import ImageSpec
from controller.model.ports import CodeReader, Progress
from controller.model.source import TreeEntry


class Build:
    """What every kind of layer needs to be made."""

    def __init__(self, spec: ImageSpec, code: CodeReader, store: LayerStore, progress: Progress) -> None:
        self.spec = spec
        self.code = code
        self.progress = progress
        self._store = store

    @cached_property
    def entries(self) -> Sequence[TreeEntry]:
        """Every file of the code, read from git once and only if a layer has to be made."""
        return self.code.entries(self.spec.code)

    def layer(self, kind: LayerKind, inputs: Any, make: Make) -> Layer:
        """The layer of these inputs, made only if it is not there."""
        return self._store.layer(kind, inputs, make, self.progress)

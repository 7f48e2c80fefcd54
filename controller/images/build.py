"""One build: what is asked for, where its bytes come from, and where its layers go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from controller.images.layers import Layer, LayerKind
from controller.images.layerstore import LayerStore, Make
from controller.model.images import ImageSpec
from controller.model.ports import CodeReader, Progress


@dataclass(frozen=True, slots=True)
class Build:
    """What every kind of layer needs to be made."""

    spec: ImageSpec
    code: CodeReader
    store: LayerStore
    progress: Progress

    def layer(self, kind: LayerKind, inputs: Any, make: Make) -> Layer:
        """The layer of these inputs, made only if it is not there."""
        return self.store.layer(kind, inputs, make, self.progress)

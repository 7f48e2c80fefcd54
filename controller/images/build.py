"""One build: what is asked for, where its bytes come from, and where its layers go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from controller.images.layers import ROOT, Contents, Layer, LayerKind
from controller.images.layerstore import LayerStore, Make
from controller.model.images import ImageSpec
from controller.model.ports import CodeReader, Progress
from controller.model.source import TreeEntry

_OWNED = (LayerKind.FILE, LayerKind.CODE)


class Build:
    """What every kind of layer needs to be made. `owner` gets the code directory, which its server may write to."""

    def __init__(
        self,
        spec: ImageSpec,
        code: CodeReader,
        store: LayerStore,
        progress: Progress,
        owner: tuple[int, int] = ROOT,
    ) -> None:
        self.spec = spec
        self.code = code
        self.progress = progress
        self._store = store
        self._owner = owner

    @cached_property
    def entries(self) -> Sequence[TreeEntry]:
        """Every file of the code, read from git once and only if a layer has to be made."""
        return self.code.entries(self.spec.code)

    def layer(self, kind: LayerKind, inputs: Any, make: Make) -> Layer:
        """The layer of these inputs, made only if it is not there."""
        if kind not in _OWNED or self._owner == ROOT:
            return self._store.layer(kind, inputs, make, self.progress)

        def owned(scratch: Path) -> Contents:
            return replace(make(scratch), owner=self._owner)

        return self._store.layer(kind, [inputs, list(self._owner)], owned, self.progress)

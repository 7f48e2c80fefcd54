"""One build: what is asked for, where its bytes come from, and where its layers go."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from controller.images.layers import ROOT, Layer, LayerKind
from controller.images.layerstore import Find, LayerStore, Make
from controller.images.remembered import Remembered
from controller.images.secrets.code import Scanned
from controller.images.sizes import FOR_THIS_MACHINE, Sizes
from controller.model.images import ImageSpec
from controller.model.ports import CodeReader, Progress
from controller.model.source import TreeEntry

_OWNED = (LayerKind.FILE, LayerKind.CODE)


def nobody(_input: str) -> Layer | None:
    """No layer was made elsewhere."""
    return None


@dataclass(frozen=True, slots=True)
class CodeMemory:
    """What a builder remembers of the code that it has seen: most files of the next commit are the same."""

    files: Remembered[str] = field(default_factory=Remembered)
    scanned: Scanned = field(default_factory=Scanned)


class Build:
    """What every kind of layer needs to be made. `owner` gets the code directory, which its server may write to.

    `leaves` says whether the image goes where others can read it, `sizes` how large its parts may be; `find` knows layers
    that were made elsewhere, `memory` is of the builds before.
    """

    def __init__(
        self,
        spec: ImageSpec,
        code: CodeReader,
        store: LayerStore,
        progress: Progress,
        owner: tuple[int, int] = ROOT,
        *,
        leaves: bool = True,
        find: Find = nobody,
        memory: CodeMemory | None = None,
        sizes: Sizes = FOR_THIS_MACHINE,
    ) -> None:
        self.spec = spec
        self.code = code
        self.progress = progress
        self.leaves = leaves
        self.memory = memory or CodeMemory()
        self.sizes = sizes
        self._store = store
        self._owner = owner
        self._find = find
        self._makes: dict[str, Make] = {}

    @cached_property
    def entries(self) -> Sequence[TreeEntry]:
        """Every file of the code, read from git once and only if a layer has to be made."""
        return self.code.entries(self.spec.code)

    def layer(self, kind: LayerKind, inputs: Any, make: Make) -> Layer:
        """The layer of these inputs, made only if it is not there."""
        if kind in _OWNED and self._owner != ROOT:
            inputs, make = [inputs, list(self._owner)], self._owned(make)
        layer = self._store.layer(kind, inputs, make, self.progress, self._find)
        self._makes[layer.digest] = make
        return layer

    def blocks(self, layer: Layer) -> Iterator[bytes]:
        """The bytes of a layer of this build, unverified."""
        return self._store.blocks(layer, self._makes[layer.digest])

    def _owned(self, make: Make) -> Make:
        return lambda scratch: replace(make(scratch), owner=self._owner)

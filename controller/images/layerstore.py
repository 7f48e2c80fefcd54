"""Layers that are built once: a record per input says which blob came out of it.

The blob lies in the layout, unless it is of a kind that is not kept: then the record alone stays, and the bytes are read
again from where they came from, by whoever turns out to need them.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from controller.images.archive import Piece, blocks_of, joined, tar_blocks, tar_pieces
from controller.images.compression import Gzip
from controller.images.durable import exclusive, write_durably, write_whole
from controller.images.installed import read_blocks
from controller.images.layers import Contents, Layer, LayerKind, total_size
from controller.images.layout import BlobWriter, Layout
from controller.images.secrets.finding import Finding
from controller.model.identity import content_hash
from controller.model.images import FORMAT
from controller.model.ports import Progress

UNKEPT = (LayerKind.FILE,)
"""What builders keep no copy of whose layers go elsewhere: models are large, and lie in git or the cache already."""

Make = Callable[[Path], Contents]
"""Fills a layer; the directory is empty, its own, and gone once the layer is written."""

Find = Callable[[str], Layer | None]
"""The layer that somebody else has made, by the hash of its input."""


class LayerStore:
    """Makes a layer unless its input was seen before and its blob is still whole. Safe for many builders at once.

    Layers of the kinds in `unkept` are only read for their digest. They must be uncompressed, the same whenever they are
    made, and need no directory of their own.
    """

    def __init__(self, layout: Layout, cache: Path, *, unkept: Collection[LayerKind] = ()) -> None:
        self._layout = layout
        self._cache = cache
        self._unkept = frozenset(unkept)
        self._gzip = Gzip()

    def layer(self, kind: LayerKind, inputs: Any, make: Make, progress: Progress, find: Find) -> Layer:
        """The layer of these inputs. They must name everything that its bytes depend on.

        One that is not kept is only made where `find` does not know it either.
        """
        name = content_hash([FORMAT, kind, inputs])
        record = self._cache / "layers" / kind / f"{name}.json"
        known = self._recorded(record)
        if known:
            self._use(known, record)
            return known
        with exclusive(self._cache / "locks" / f"{kind}-{name}"):
            made = self._recorded(record) or (find(name) if kind in self._unkept else None)
            layer = made or self._make(kind, name, make, progress)
            self._record(record, layer)
            return layer

    def blocks(self, layer: Layer, make: Make) -> Iterator[bytes]:
        """The blob's bytes, unverified: from the layout, or made once more."""
        if layer.kind in self._unkept:
            return tar_blocks(make(self._cache / "scratch"))
        return read_blocks(self._layout.blob(layer.digest))

    def forget_missing(self, before: float) -> None:
        """Drop the records of layers whose blobs are gone, and of those without blobs that were last used before a time."""
        for record in (self._cache / "layers").glob("*/*.json"):
            with suppress(FileNotFoundError):
                layer = self._recorded(record)
                if layer is None or (layer.kind in self._unkept and record.stat().st_mtime < before):
                    record.unlink()

    def _recorded(self, record: Path) -> Layer | None:
        try:
            value = json.loads(record.read_bytes())
            value |= {key: tuple(value[key]) for key in ("distributions", "warnings")}
            value["findings"] = tuple(Finding(*found) for found in value.get("findings", ()))
            layer = Layer(**{**value, "kind": LayerKind(value["kind"])})
        except (FileNotFoundError, ValueError, TypeError, KeyError):
            return None
        return layer if layer.kind in self._unkept or self._layout.has(layer.digest, layer.size) else None

    def _use(self, layer: Layer, record: Path) -> None:
        """Note that a layer is needed now, for whoever removes what nothing has needed for long."""
        if layer.kind not in self._unkept:
            self._layout.use(layer.digest)
            return
        with suppress(FileNotFoundError):
            os.utime(record)

    def _record(self, record: Path, layer: Layer) -> None:
        record.parent.mkdir(parents=True, exist_ok=True)
        write = write_durably if self._layout.synced else write_whole
        write(record, json.dumps(asdict(layer)).encode())

    def _make(self, kind: LayerKind, name: str, make: Make, progress: Progress) -> Layer:
        with self._scratch(name) as scratch:
            contents = make(scratch)
            pieces = _reported(kind, contents, progress)
            with self._blob(kind, name) as blob:
                diff_id = self._gzip.write(pieces, blob) if contents.compressed else _write(pieces, blob)
        return Layer(
            kind,
            blob.digest,
            diff_id,
            blob.size,
            contents.compressed,
            contents.source,
            contents.distributions,
            contents.warnings,
            contents.findings,
            name,
            total_size(contents.members),
        )

    def _blob(self, kind: LayerKind, name: str) -> AbstractContextManager[BlobWriter]:
        return nullcontext(BlobWriter(_Nowhere())) if kind in self._unkept else self._layout.writing(f"{kind}-{name}")

    @contextmanager
    def _scratch(self, name: str) -> Iterator[Path]:
        """A new directory; those that a killed builder left for the same input go. The caller holds the input's lock."""
        parent = self._cache / "scratch"
        parent.mkdir(parents=True, exist_ok=True)
        prefix = f"{name[:20]}-"
        for left in parent.glob(f"{prefix}*"):
            shutil.rmtree(left, ignore_errors=True)
        with tempfile.TemporaryDirectory(prefix=prefix, dir=parent, ignore_cleanup_errors=True) as directory:
            yield Path(directory)


class _Nowhere:
    """Where bytes go that are only counted."""

    def write(self, data: bytes, /) -> int:
        return len(data)

    def flush(self) -> None:
        """Nothing waits."""


def _write(pieces: Iterable[Piece], blob: BlobWriter) -> str:
    """Write the archive as it is, and return its digest."""
    for block in joined(blocks_of(pieces)):
        blob.write(block)
    return blob.digest


def _reported(kind: LayerKind, contents: Contents, progress: Progress) -> Iterator[Piece]:
    """The archive, telling how far it is read."""
    pieces = list(tar_pieces(contents))
    total = sum(piece.size for piece in pieces)
    done = 0

    def told(blocks: Callable[[], Iterator[bytes]]) -> Iterator[bytes]:
        read = done
        for block in blocks():
            yield block
            read += len(block)
            progress(f"layer {kind}", read, total)

    for piece in pieces:
        yield Piece(piece.size, partial(told, piece.blocks), piece.file)
        done += piece.size

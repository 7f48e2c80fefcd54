"""Layers that are built once: a record per input says which blob came out of it.

The blob lies in the layout, unless it is of a kind that is not kept: then the record alone stays, and the bytes are read
again from where they came from, by whoever turns out to need them.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from controller.images.durable import exclusive, write_durably, write_whole
from controller.images.installed import read_blocks
from controller.images.layers import Contents, Layer, LayerKind, Member, compressed, tar_blocks, total_size, write_tar
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
            contents = _reporting(kind, make(scratch), progress)
            blob, diff_id = self._read(contents) if kind in self._unkept else self._store(f"{kind}-{name}", contents)
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

    def _read(self, contents: Contents) -> tuple[BlobWriter, str]:
        blob = BlobWriter(_Nowhere())
        return blob, _write(contents, blob)

    def _store(self, name: str, contents: Contents) -> tuple[BlobWriter, str]:
        with self._layout.writing(name) as blob:
            return blob, _write(contents, blob)

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


def _write(contents: Contents, blob: BlobWriter) -> str:
    """Write the archive and return the digest of its uncompressed form."""
    if not contents.compressed:
        write_tar(contents, blob)
        return blob.digest
    with compressed(blob) as stream:
        plain = BlobWriter(stream)
        write_tar(contents, plain)
    return plain.digest


def _reporting(kind: LayerKind, contents: Contents, progress: Progress) -> Contents:
    """The same contents, telling how far they are read."""
    total = total_size(contents.members)
    done = 0

    def watched(member: Member) -> Callable[[], Iterator[bytes]]:
        def blocks() -> Iterator[bytes]:
            nonlocal done
            for block in member.blocks():
                yield block
                done += len(block)
                progress(f"layer {kind}", done, total)

        return blocks

    return replace(contents, members=[replace(m, blocks=watched(m)) for m in contents.members])

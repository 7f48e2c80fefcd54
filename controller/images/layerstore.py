"""Layers that are built once: a record per input says which blob of the layout came out of it."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from controller.images.durable import exclusive, write_durably
from controller.images.layers import Contents, Layer, LayerKind, Member, compressed, total_size, write_tar
from controller.images.layout import BlobWriter, Layout
from controller.model.identity import content_hash
from controller.model.images import FORMAT
from controller.model.ports import Progress

Make = Callable[[Path], Contents]
"""Fills a layer; the directory is empty, its own, and gone once the layer is written."""


class LayerStore:
    """Makes a layer unless its input was seen before and its blob is still whole. Safe for many builders at once."""

    def __init__(self, layout: Layout, cache: Path) -> None:
        self._layout = layout
        self._cache = cache

    def layer(self, kind: LayerKind, inputs: Any, make: Make, progress: Progress) -> Layer:
        """The layer of these inputs. They must name everything that its bytes depend on."""
        name = content_hash([FORMAT, kind, inputs])
        record = self._cache / "layers" / kind / f"{name}.json"
        known = self._recorded(record)
        if known:
            self._layout.use(known.digest)
            return known
        with exclusive(self._cache / "locks" / f"{kind}-{name}"):
            return self._recorded(record) or self._make(kind, name, record, make, progress)

    def forget_missing(self) -> None:
        """Drop the records of layers whose blobs are gone."""
        for record in (self._cache / "layers").glob("*/*.json"):
            if self._recorded(record) is None:
                record.unlink(missing_ok=True)

    def _recorded(self, record: Path) -> Layer | None:
        try:
            value = json.loads(record.read_bytes())
            value |= {key: tuple(value[key]) for key in ("distributions", "warnings")}
            layer = Layer(**{**value, "kind": LayerKind(value["kind"])})
        except (FileNotFoundError, ValueError, TypeError, KeyError):
            return None
        return layer if self._layout.has(layer.digest, layer.size) else None

    def _make(self, kind: LayerKind, name: str, record: Path, make: Make, progress: Progress) -> Layer:
        with self._scratch(name) as scratch:
            contents = make(scratch)
            with self._layout.writing(f"{kind}-{name}") as blob:
                diff_id = _write(_reporting(kind, contents, progress), blob)
        layer = Layer(
            kind,
            blob.digest,
            diff_id,
            blob.size,
            contents.compressed,
            contents.source,
            contents.distributions,
            contents.warnings,
        )
        record.parent.mkdir(parents=True, exist_ok=True)
        write_durably(record, json.dumps(asdict(layer)).encode())
        return layer

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

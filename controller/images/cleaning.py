"""Gives back the disk of images that nothing runs any more, and of what killed builds left behind.

All of it can be made again from git, so a wrong guess costs a build and nothing else. The order keeps that true when the
process is killed half-way: first the tag, so that no image is found whose layers are gone; a directory gets another name
before it is emptied, so that what lies at its own name is always whole.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from controller.images.durable import exclusive
from controller.images.files import blob_cache
from controller.images.layers import LayerKind
from controller.images.layerstore import LayerStore
from controller.images.layout import Layout
from controller.images.manifest import LAYER_KIND, LAYER_SOURCE, blobs_of
from controller.images.unpack import unpacked_images, unpacked_packages

_LOG = logging.getLogger(__name__)


@dataclass(slots=True)
class _Named:
    """Hex digits of everything that the images that stay are made of."""

    manifests: set[str] = field(default_factory=set)
    blobs: set[str] = field(default_factory=set)
    packages: set[str] = field(default_factory=set)
    sources: set[str] = field(default_factory=set)


class ImageCleaner:
    """Cleans a layout and its builder's cache. Whoever calls owns both, and nothing is being built meanwhile.

    `unkept` is as for the builder's `LayerStore`.
    """

    def __init__(self, layout: Path, cache: Path, *, unkept: Collection[LayerKind] = ()) -> None:
        self._layout = Layout(layout)
        self._cache = cache
        self._store = LayerStore(self._layout, cache, unkept=unkept)

    def remove_unnamed(self, references: Collection[str], before: float) -> None:
        """Remove all that no image of `references` (`<repository>@<digest>`) needs and that is older than `before`.

        `before` is in seconds since the epoch. What cannot be removed stays for the next time, with a warning.
        """
        kept = {reference.rpartition("@")[2] for reference in references}
        try:
            named = self._named(kept | self._untag(kept, before))
            self._remove_files(named, before)
            self._remove_directories(named, before)
        except OSError as error:
            _LOG.warning("cannot clean up what no image needs: %s", error)

    def _untag(self, kept: Collection[str], before: float) -> set[str]:
        """Forget the tags of old images that are not kept; the digests that the others lead to."""
        tags = {tag: digest for tag in self._layout.tags() if (digest := self._layout.tagged(tag))}
        gone = {t for t, digest in tags.items() if digest not in kept and self._layout.tagged_at(t) < before}
        if gone:
            self._layout.withdraw(gone)
            _LOG.info("removed %d images that nothing has run for a day", len(gone))
        return {digest for tag, digest in tags.items() if tag not in gone}

    def _named(self, digests: Iterable[str]) -> _Named:
        named = _Named()
        for digest in digests:
            document = self._layout.read(digest)
            if document is None:
                continue
            named.manifests.add(_digits(digest))
            named.blobs.update(_digits(blob) for blob in (digest, *(blob for blob, _ in blobs_of(document))))
            for layer in document["layers"]:
                notes = layer.get("annotations", {})
                if LAYER_SOURCE in notes:
                    named.sources.add(_digits(notes[LAYER_SOURCE]))
                if notes.get(LAYER_KIND) == LayerKind.DEPENDENCIES:
                    named.packages.add(_digits(layer["digest"]))
        return named

    def _remove_files(self, named: _Named, before: float) -> None:
        for folder, needed in ((self._layout.blobs, named.blobs), (blob_cache(self._cache), named.sources)):
            for path in _old(folder, before):
                if path.name not in needed:
                    path.unlink(missing_ok=True)
        for path in _old(self._layout.partial, before):
            path.unlink(missing_ok=True)
        self._store.forget_missing(before)

    def _remove_directories(self, named: _Named, before: float) -> None:
        packages = unpacked_packages(self._cache)
        for folder, needed in ((unpacked_images(self._cache), named.manifests), (packages, named.packages)):
            for path in _old(folder, before):
                if path.name not in needed and path != packages:
                    self._remove_tree(path)
        for path in _old(self._cache / "scratch", before):
            shutil.rmtree(path, ignore_errors=True)

    def _remove_tree(self, path: Path) -> None:
        """Under the lock and the name that an unpacking has for what is not whole."""
        name = path.name.removesuffix(".partial")
        with exclusive(self._cache / "locks" / f"unpack-{name}"):
            partial = path.with_name(f"{name}.partial")
            if path != partial:
                shutil.rmtree(partial, ignore_errors=True)
                path.rename(partial)
            shutil.rmtree(partial, ignore_errors=True)


def _old(folder: Path, before: float) -> Iterator[Path]:
    with suppress(FileNotFoundError):
        yield from [path for path in folder.iterdir() if path.lstat().st_mtime < before]


def _digits(digest: str) -> str:
    return digest.rpartition(":")[2]

"""What it takes to build a version image into a registry, beside the time that the registry needs for the same bytes.

    python -m bench.images [repeats] [model MiB]

Client and a real distribution registry share this machine. `raw` is what a plain HTTP client needs to send the blobs that the
cold build sends, one after another, in blocks of 1 MiB, with their digests known.
"""

from __future__ import annotations

import hashlib
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import httpx2

from controller.images.installed import read_blocks
from controller.images.layout import Layout
from controller.images.manifest import blobs_of
from controller.images.registry.builder import RegistryBuilder
from controller.model.declared import FileContent
from controller.model.images import Image, ImageSpec
from controller.model.source import CodeTree, TreeEntry
from tests.images.base_images import DEBIAN, MANIFEST, push_base
from tests.images.registry_server import Registry, running_registry

REPEATS = 3
MODEL = 200
"""MiB of the one declared file."""

_BLOCK = hashlib.sha256(b"weights").digest() * (1 << 15)
Figures = dict[str, list[float]]
T = TypeVar("T")


class Code:
    """200 files of code and one model; `revision` is in one of them."""

    def __init__(self, model: int, revision: int = 0) -> None:
        self._model = model
        self._texts = {f"package/module_{n}.py": f"VALUE = {n}\n".encode() * 400 for n in range(200)}
        self._texts["serve.py"] = b"REVISION = %d\n" % revision

    def entries(self, _: CodeTree, /) -> Sequence[TreeEntry]:
        files = [TreeEntry(path, "100644", f"{path}:{_digits(data)}", len(data)) for path, data in self._texts.items()]
        return [*files, TreeEntry("model.bin", "100644", "model", self._model << 20)]

    def read(self, blob: str) -> Iterator[bytes]:
        if blob == "model":
            yield from (_BLOCK[:-8] + n.to_bytes(8, "big") for n in range(self._model))
        else:
            yield self._texts[blob.partition(":")[0]]

    def spec(self, registry: Registry) -> ImageSpec:
        tree = CodeTree("bench", "", tuple((e.path, e.mode, e.blob) for e in self.entries(CodeTree("", "", ()))))
        files = {"model.bin": FileContent(path="model.bin", blob="model")}
        repository = f"{registry.address}/bench/owner/project"
        return ImageSpec(repository, "python:3.11", "linux/amd64", tree, "python serve.py", 8000, files=files)


def measure(directory: Path, model: int, figures: Figures) -> None:
    """One round of every case, with a registry and caches of its own."""
    code = Code(model)
    with running_registry(directory / "registry") as registry:
        push_base(registry.url, trees=[DEBIAN, {"big": _BLOCK * 20}])
        spec = code.spec(registry)
        with _builder(registry, directory / "cache") as builder:
            image = _timed(figures, "cold", lambda: builder.build(spec, code, _silent))
            _timed(figures, "nothing changed", lambda: builder.build(spec, code, _silent))
            changed = Code(model, revision=1)
            _timed(figures, "code change", lambda: builder.build(changed.spec(registry), changed, _silent))
            command = replace(spec, command="python other.py")
            _timed(figures, "command change", lambda: builder.build(command, code, _silent))
        with _builder(registry, directory / "fresh") as builder:
            again = Code(model, revision=2)
            _timed(figures, "fresh builder, code change", lambda: builder.build(again.spec(registry), again, _silent))
        blobs = _sent(registry, image, Layout(directory / "cache" / "layout"))
    with running_registry(directory / "raw") as registry:
        _timed(figures, "raw", lambda: _upload(registry, blobs))


def _builder(registry: Registry, cache: Path) -> RegistryBuilder:
    push, pull = f"{registry.url}/bench", f"{registry.address}/bench"
    return RegistryBuilder(push, pull, cache, mirrors={"docker.io": registry.url})


def _sent(registry: Registry, image: Image, layout: Layout) -> list[tuple[str, Path]]:
    """The layers that the cold build sent."""
    answer = httpx2.get(f"{registry.url}/v2/bench/owner/project/manifests/{image.digest}", headers={"accept": MANIFEST})
    return [(digest, layout.blob(digest)) for digest, size in blobs_of(answer.json()) if layout.has(digest, size)]


def _upload(registry: Registry, blobs: Sequence[tuple[str, Path]]) -> None:
    with httpx2.Client(base_url=registry.url, timeout=600) as client:
        for digest, path in blobs:
            begun = client.post("/v2/raw/blobs/uploads/")
            place = httpx2.URL(registry.url).join(begun.headers["location"]).copy_merge_params({"digest": digest})
            headers = {"content-length": str(path.stat().st_size)}
            client.put(place, content=read_blocks(path), headers=headers).raise_for_status()


def _timed(figures: Figures, name: str, action: Callable[[], T]) -> T:
    begun = time.perf_counter()
    result = action()
    figures.setdefault(name, []).append(time.perf_counter() - begun)
    return result


def _digits(data: bytes) -> str:
    return hashlib.sha1(data).hexdigest()


def _silent(what: str, done: int, total: int) -> None:
    """Nobody watches."""


def main(arguments: Sequence[str]) -> None:
    repeats, model = [*map(int, arguments), *(REPEATS, MODEL)[len(arguments) :]]
    figures: Figures = {}
    for _ in range(repeats):
        with TemporaryDirectory() as directory:
            measure(Path(directory), model, figures)
    raw = statistics.median(figures["raw"])
    print(f"model {model} MiB, median of {repeats}")
    for name, seconds in figures.items():
        middle = statistics.median(seconds)
        print(f"{name:28} {middle:8.3f} s   {middle / raw:6.2f} x raw")


if __name__ == "__main__":
    main(sys.argv[1:])

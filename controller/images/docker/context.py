"""What an Engine gets to build from: a tar archive of a Dockerfile and one layer, streamed at constant memory.

`ADD` unpacks the layer below the root with its own owners, modes and times, compressed or not; that it is an image's id after
`FROM` is for the classic builder alone. Facts: https://docs.docker.com/reference/dockerfile/, tried with 20.10.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterable, Iterator

from controller.images.archive import MODIFIED

_LAYER = "layer.tar"
_DOCKERFILE = "Dockerfile"


def context(parent: str, layer: Iterable[bytes], size: int) -> Iterator[bytes]:
    """The archive that lays a layer of `size` bytes over the image of an id."""
    text = f"FROM {parent}\nADD {_LAYER} /\n".encode()
    yield _header(_DOCKERFILE, len(text)) + text + _padding(len(text))
    yield _header(_LAYER, size)
    yield from layer
    yield _padding(size) + bytes(2 * tarfile.BLOCKSIZE)


def _header(name: str, size: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.mtime = size, MODIFIED
    return info.tobuf(tarfile.PAX_FORMAT)


def _padding(size: int) -> bytes:
    return bytes(-size % tarfile.BLOCKSIZE)

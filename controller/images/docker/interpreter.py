"""Which Python and C library an image has that only an Engine knows: asked of a container that is never started.

The same questions as `registry.interpreter` answers from layers; an Engine answers them file by file.
"""

from __future__ import annotations

import io
import posixpath
import re
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from controller.dockerd.connection import engine_errors
from controller.dockerd.unstarted import unstarted_container
from controller.images.base import Base
from controller.images.docker.bases import EngineBase
from controller.images.installer import Python
from controller.images.notes import Notes
from controller.images.registry.interpreter import ARCHITECTURES, DEFAULT_PATH, VERSION, python_for, release_of
from controller.model.errors import Stalled

if TYPE_CHECKING:
    from docker import DockerClient

_NOTE = "python"
_ATTEMPT = "look into the base image"
_NAMED = re.compile(r"python(\d+\.\d+)")
_MINORS = range(6, 30)
_LARGEST_LIBRARY = 16 << 20


def find_python(client: DockerClient, notes: Notes, found: EngineBase, platform: str) -> Python:
    """The Python that wheels are for. Raises `Stalled` for an image without one."""
    noted = notes.note(found.id, _NOTE)
    if noted is None:
        with unstarted_container(client, found.id, _ATTEMPT) as container:
            noted = _ask(_Files(client, container), found.base, platform)
        notes.remember(found.id, _NOTE, noted)
    return python_for(noted, platform)


class _Files:
    """The files of a container that does not run."""

    def __init__(self, client: DockerClient, container: str) -> None:
        self._client = client
        self._container = container

    def status(self, path: str) -> Mapping[str, Any] | None:
        """Docker's own account of a file; `linkTarget` is the end of its links. None where it is not there."""
        with self._archive(path) as found:
            return found[1] if found else None

    def read(self, path: str) -> bytes:
        """A regular file's bytes, through its links."""
        status = self.status(path) or {}
        with self._archive(status.get("linkTarget") or path) as found:
            data = b"".join(_limited(found[0])) if found else b""
        if not data:
            return b""
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            member = next((m for m in archive if m.isreg()), None)
            file = archive.extractfile(member) if member else None
            return file.read() if file else b""

    @contextmanager
    def _archive(self, path: str) -> Iterator[tuple[Iterator[bytes], Mapping[str, Any]] | None]:
        from docker.errors import NotFound  # noqa: PLC0415

        with engine_errors(_ATTEMPT):
            try:
                response = self._client.api.get_archive(self._container, path)
            except NotFound:
                yield None
                return
            stream, status = response
            try:
                yield iter(stream), status
            finally:
                for _ in stream:
                    pass


def _ask(files: _Files, base: Base, platform: str) -> dict[str, Any]:
    said = VERSION.match(base.environment.get("PYTHON_VERSION", ""))
    version = said[1] if said else _version(files, base.environment.get("PATH") or DEFAULT_PATH)
    if not version:
        hint = "use a base image with a python3 on its PATH, or requirements that are empty"
        raise Stalled("the base image has no Python to install requirements for", hint=hint)
    architecture = ARCHITECTURES.get(platform.split("/")[1], "")
    glibc = _glibc(files, architecture)
    return {"version": version, "glibc": glibc, "musl": not glibc and bool(files.status(f"/lib/ld-musl-{architecture}.so.1"))}


def _version(files: _Files, path: str) -> str:
    """What `python3` on PATH is, through its links, or by the only versioned name beside it."""
    for directory in filter(None, path.split(":")):
        status = files.status(posixpath.join(directory, "python3"))
        if status is None:
            continue
        named = _NAMED.fullmatch(posixpath.basename(str(status.get("linkTarget") or "")))
        if named:
            return named[1]
        beside = [f"3.{minor}" for minor in _MINORS if files.status(posixpath.join(directory, f"python3.{minor}"))]
        if len(beside) == 1:
            return beside[0]
    return ""


def _glibc(files: _Files, architecture: str) -> str:
    """The release that the C library says of itself, wherever distributions put it."""
    for directory in (
        f"/lib/{architecture}-linux-gnu",
        f"/usr/lib/{architecture}-linux-gnu",
        "/lib64",
        "/usr/lib64",
        "/lib",
        "/usr/lib",
    ):
        release = release_of(files.read(f"{directory}/libc.so.6"))
        if release:
            return release
    return ""


def _limited(blocks: Iterator[bytes]) -> Iterator[bytes]:
    done = 0
    for block in blocks:
        done += len(block)
        if done > _LARGEST_LIBRARY:
            return
        yield block

"""What an Engine holds, read through its own client, and builders that build there."""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from image_examples import CODE, MemoryCode, spec_of
from registry_server import Registry

from controller.dockerd.engine import LateEngine
from controller.images.docker.builder import EngineBuilder
from controller.model.images import CODE_DIRECTORY, OWN_DIRECTORY, ImageSpec
from tests.docker_engine.engine import Engine

if TYPE_CHECKING:
    from docker import DockerClient

PLACE = "pointsman.local/0a1b2c3d"
OURS = (CODE_DIRECTORY.strip("/"), OWN_DIRECTORY.strip("/"))


@contextmanager
def connected(engine: Engine) -> Iterator[LateEngine]:
    late = LateEngine(engine.environment)
    try:
        yield late
    finally:
        late.close()


def engine_builder(connect: LateEngine, root: Path, **options: Any) -> EngineBuilder:
    return EngineBuilder(connect, root / "layout", root / "cache", **options)


def engine_spec(registry: Registry, code: MemoryCode = CODE, **changes: Any) -> ImageSpec:
    base = f"{registry.address}/library/python:3.11"
    return spec_of(code, **{"repository": f"{PLACE}/ruksi/mnist", "base": base, **changes})


def filesystem(client: DockerClient, image: str) -> dict[str, tuple[Any, ...]]:
    """Every entry of an image as a container of it would see it, with the times of the files in our layers."""
    container = client.api.create_container(image, command=["none"], entrypoint=[], working_dir="/")["Id"]
    try:
        data = b"".join(client.api.export(container))
    finally:
        client.api.remove_container(container, v=True)
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return {member.name.strip("/"): _entry(archive, member) for member in archive}


def _entry(archive: tarfile.TarFile, member: tarfile.TarInfo) -> tuple[Any, ...]:
    file = archive.extractfile(member) if member.isreg() else None
    content = hashlib.sha256(file.read()).hexdigest() if file else member.linkname
    time = member.mtime if member.isreg() and member.name.startswith(OURS) else None
    return (member.type, member.mode, member.uid, member.gid, time, content)

"""Containers that are made to look into an image or to make another one of it, and are never started."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from controller.dockerd.connection import engine_errors
from controller.model.errors import Conflict, Stalled

if TYPE_CHECKING:
    from docker import DockerClient

PREFIX = "pointsman-unstarted-"
"""How their names begin: a label would get into the images that are made of them."""


@contextmanager
def unstarted_container(client: DockerClient, image: str, attempt: str) -> Iterator[str]:
    """The id of a container of an image, gone when the block ends. `attempt` completes "the Docker Engine cannot"."""
    name = f"{PREFIX}{secrets.token_hex(8)}"
    with engine_errors(attempt):
        # Without a working directory of its own the image's would be made, and that would be a change to its files.
        made = client.api.create_container(image, command=["none"], entrypoint=[], working_dir="/", name=name)
    try:
        yield str(made["Id"])
    finally:
        with engine_errors(attempt):
            client.api.remove_container(made["Id"], v=True, force=True)


def remove_unstarted(client: DockerClient, before: float) -> None:
    """Remove those that killed processes have left and that are older than a time (seconds since the epoch)."""
    with engine_errors("list its containers"):
        found = client.api.containers(all=True, filters={"name": f"^/?{PREFIX}", "status": "created"})
    for container in found:
        if container["Created"] < before:
            with suppress(Conflict, Stalled), engine_errors("remove a container that was never started"):
                client.api.remove_container(container["Id"], v=True, force=True)

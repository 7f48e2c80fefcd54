"""Images as an Engine has them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from controller.dockerd.connection import engine_errors
from controller.model.errors import Conflict, Stalled

if TYPE_CHECKING:
    from docker import DockerClient


def find_image(client: DockerClient, name: str) -> Mapping[str, Any] | None:
    """What the Engine says of the image of a name or id; None where it has none."""
    from docker.errors import ImageNotFound  # noqa: PLC0415

    with engine_errors(f"look for the image {name}"):
        try:
            found: Mapping[str, Any] = client.api.inspect_image(name)
        except ImageNotFound:
            return None
    return found


def remove_image(client: DockerClient, name: str) -> bool:
    """Take away a name, or an image without one, with what only it needs; False where a container or an image needs it."""
    try:
        with engine_errors(f"remove the image {name}"):
            client.api.remove_image(name)
    except (Conflict, Stalled):
        return False
    return True

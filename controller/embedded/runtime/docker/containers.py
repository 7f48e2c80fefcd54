"""The few requests to an Engine that containers need, its answers in our words. Thread-safe."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from controller.dockerd.connection import engine_errors, knock
from controller.model.labels import STATE

if TYPE_CHECKING:
    from docker import DockerClient

Facts = Mapping[str, Any]
"""A container as the Engine describes it: `GET /containers/<id>/json`, or one of the list."""

_NOT_FOUND, _CONFLICT = 404, 409


class Gone(Exception):
    """The container, or its image, is not there."""


class Unstarted(Exception):
    """The container is there, but cannot be started; the text is the Engine's own."""


class Containers:
    """Raises `Gone`, and the errors of `controller.dockerd` for everything else."""

    def __init__(self, client: DockerClient) -> None:
        self._api: Any = client.api
        self._socket = str(getattr(getattr(client.api, "_custom_adapter", None), "socket_path", ""))

    def create(self, name: str, configuration: Facts) -> str:
        """The new container's id; it is not started."""
        with self._asked(f"create the container {name}"):
            return str(self._api.create_container_from_config(configuration, name)["Id"])

    def start(self, container: str) -> None:
        """Raises `Unstarted` with the Engine's own words, whether the command, a device or a port is to blame."""
        from docker.errors import APIError, NotFound  # noqa: PLC0415

        with self._asked("start the container"):
            try:
                self._api.start(container)
            except NotFound:
                raise
            except APIError as error:
                raise Unstarted(str(error.explanation or error)) from error

    def facts(self, container: str) -> Facts:
        with self._asked("describe a container"):
            found: Facts = self._api.inspect_container(container)
            return found

    def wait(self, container: str) -> None:
        """Until it runs no more."""
        with self._asked("wait for a container"):
            self._api.wait(container)

    def signal(self, container: str, signal: str) -> None:
        """Nothing happens to one that runs no more."""
        from docker.errors import APIError  # noqa: PLC0415

        with self._asked(f"send {signal} to a container"):
            try:
                self._api.kill(container, signal)
            except APIError as error:
                if error.status_code != _CONFLICT:
                    raise

    def remove(self, container: str) -> None:
        """With its anonymous volumes, and whether it runs or not; nothing happens to one that goes already."""
        from docker.errors import APIError  # noqa: PLC0415

        with self._asked("remove a container"):
            try:
                self._api.remove_container(container, v=True, force=True)
            except APIError as error:
                if error.status_code not in (_NOT_FOUND, _CONFLICT):
                    raise

    def of_state(self, state: str) -> list[Facts]:
        """Every container of a state directory, running or not."""
        with self._asked("list containers"):
            return list(self._api.containers(all=True, filters={"label": f"{STATE}={state}"}))

    def output(self, container: str, since: int, *, follow: bool) -> Iterator[bytes]:
        """Each message that it printed from this second on, with its time before it."""
        with self._asked("read a container's output"):
            stream = self._api.logs(container, stream=True, follow=follow, timestamps=True, since=since or None)
            try:
                yield from stream
            except struct.error:  # the Engine ended within a message's head
                return
            finally:
                stream._response.close()  # its own `close` leaves half of the socket open

    def printed(self, container: str, command: list[str]) -> str:
        """What a command prints that runs inside beside the endpoint; empty where it cannot be run."""
        with self._asked("look into a container"):
            started = self._api.exec_create(container, command, stderr=False)["Id"]
            found: bytes = self._api.exec_start(started)
            return found.decode(errors="replace")

    def user_of(self, image: str) -> str:
        """The user that an image names; empty for root."""
        with self._asked("describe an image"):
            return str((self._api.inspect_image(image).get("Config") or {}).get("User") or "")

    @contextmanager
    def _asked(self, attempt: str) -> Iterator[None]:
        from docker.errors import NotFound  # noqa: PLC0415

        with engine_errors(attempt):
            knock(self._socket)
            try:
                yield
            except NotFound as error:
                raise Gone(str(error.explanation or error)) from error

"""The base line: an ordinary tool that builds and pushes by the docker SDK, on an Engine of its own."""

from __future__ import annotations

from pathlib import Path

import docker

_TIMEOUT = 600


class DockerBuilder:
    """Builds the context at `context` with the Engine at `socket`, and pushes it to `repository`."""

    def __init__(self, socket: Path, context: Path, repository: str) -> None:
        self._client = docker.DockerClient(base_url=f"unix://{socket}", version="auto", timeout=_TIMEOUT)
        self._context = context
        self._repository = repository

    @property
    def version(self) -> str:
        return f"{docker.__version__} with Engine {self._client.version()['Version']}"

    def build(self, tag: str) -> None:
        """Build and push. The SDK raises nothing where a push fails: the error is a line of its answer."""
        self._client.images.build(path=str(self._context), tag=f"{self._repository}:{tag}", rm=True)
        for line in self._client.images.push(self._repository, tag=tag, stream=True, decode=True):
            assert "error" not in line, line

    def forget(self) -> None:
        """An Engine without any image or cache, as on a new machine."""
        for image in self._client.images.list():
            self._client.images.remove(image.id, force=True)
        self._client.images.prune(filters={"dangling": False})
        self._client.api.prune_builds()
        assert not self._client.images.list(all=True)

    def close(self) -> None:
        self._client.close()

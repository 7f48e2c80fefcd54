"""Lays layers over a base inside an Engine, one image per layer: what a former build laid in the same order is taken up again.

So a changed line of code sends the layer of the code alone, however large the model below it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import IO, TYPE_CHECKING, Any, cast

from controller.dockerd.connection import engine_errors
from controller.dockerd.images import find_image
from controller.dockerd.streams import read_stream
from controller.dockerd.unstarted import unstarted_container
from controller.images.docker.context import context
from controller.images.docker.steps import Steps
from controller.images.layers import Layer
from controller.images.stored import Content
from controller.model.errors import PointsmanError, Transient
from controller.model.ports import Progress

if TYPE_CHECKING:
    from docker import DockerClient


class Assembler:
    """One build in one Engine. `attempt` completes "the Docker Engine cannot"."""

    def __init__(self, client: DockerClient, content: Content, steps: Steps, attempt: str, progress: Progress) -> None:
        self._client = client
        self._content = content
        self._steps = steps
        self._attempt = attempt
        self._progress = progress

    def assemble(self, base: str, layers: Sequence[Layer], config: Mapping[str, Any]) -> str:
        """The id of the image of these layers over the base's id, which runs as `config` says. It has no name yet."""
        below = self._look(base).get("Config") or {}
        top = self._configured(base, {**below, "OnBuild": None}) if below.get("OnBuild") else base
        for layer in layers:
            top = self._appended(top, layer)
        return self._configured(top, config)

    def _appended(self, parent: str, layer: Layer) -> str:
        """The parent with one more layer: the image that is there already, or a new one."""
        known = self._steps.find(self._client, parent, layer)
        if known:
            return known
        with self._kept(parent):
            made = self._build(parent, layer)
        self._steps.remember(parent, layer, made)
        return made

    def _build(self, parent: str, layer: Layer) -> str:
        # requests sends an iterator block by block, and a file in small blocks.
        sent = cast("IO[bytes]", context(parent, self._sent(layer), layer.size))
        begin = partial(self._client.api.build, fileobj=sent, custom_context=True, decode=True, rm=True, forcerm=True)
        made = ""
        for line in read_stream(begin, self._attempt):
            made = (line.get("aux") or {}).get("ID") or made
            self._progress(self._attempt, 0, 0)
        if not made:
            raise Transient(f"the Docker Engine did not {self._attempt}: it named no image", hint="it is tried again")
        return made

    def _sent(self, layer: Layer) -> Iterator[bytes]:
        done = 0
        for block in self._content(layer):
            yield block
            done += len(block)
            self._progress(f"sending the layer {layer.kind} to the Docker Engine", done, layer.size)

    def _configured(self, parent: str, config: Mapping[str, Any]) -> str:
        """The parent with another configuration, by way of a container that is never started and adds no layer.

        No instruction of a Dockerfile is carried out for it: neither the parent's `ONBUILD`, nor one that a value could break.
        """
        client, attempt = self._client, self._attempt
        with self._kept(parent), unstarted_container(client, parent, attempt) as container, engine_errors(attempt):
            return str(client.api.commit(container, conf=dict(config))["Id"])

    @contextmanager
    def _kept(self, parent: str) -> Iterator[None]:
        """A step fails for good only if it had what it begins with."""
        try:
            yield
        except PointsmanError:
            self._look(parent)
            raise

    def _look(self, image: str) -> Mapping[str, Any]:
        found = find_image(self._client, image)
        if found is None:
            hint = "something removes the Engine's images (`docker system prune`?); it is tried again"
            raise Transient(f"the image {image} vanished from the Docker Engine during a build", hint=hint)
        return found

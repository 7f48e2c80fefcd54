"""Gives back an Engine's disk: version images that nothing runs any more, and steps of builds that led nowhere."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Collection, Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from controller.dockerd.connection import Connect, engine_errors
from controller.dockerd.images import find_image, remove_image
from controller.dockerd.unstarted import remove_unstarted
from controller.images.cleaning import ImageCleaner
from controller.images.docker.steps import Steps
from controller.images.layerstore import UNKEPT
from controller.images.notes import Notes
from controller.model.errors import PointsmanError

if TYPE_CHECKING:
    from docker import DockerClient

_OURS = re.compile(r".+:v-[0-9a-f]{40}")
_LOG = logging.getLogger(__name__)


class EngineCleaner:
    """Cleans an Engine's images whose names begin with `place`, and the layers on this disk that they were built from.

    Whoever calls owns both, and nothing is being built meanwhile. What another name or a container needs stays.
    """

    def __init__(self, connect: Connect, place: str, layout: Path, cache: Path) -> None:
        self._connect = connect
        self._place = place
        self._layers = ImageCleaner(layout, cache, unkept=UNKEPT)
        self._steps = Steps(Notes(cache))

    def remove_unnamed(self, references: Collection[str], before: float) -> None:
        """Remove what is not among `references` (`<repository>@<id>`) and got its name before a time (seconds since the epoch).

        What cannot be removed stays for the next time, with a warning.
        """
        kept = {reference.rpartition("@")[2] for reference in references}
        try:
            client = self._connect()
            names = [name for name, image in self._named(client) if image not in kept and _named_at(client, image) < before]
            gone = [name for name in names if remove_image(client, name)]
            self._steps.remove(client, before)
            remove_unstarted(client, before)
        except PointsmanError as error:
            _LOG.warning("cannot clean up the Docker Engine's images: %s", error.message)
        else:
            if gone:
                _LOG.info("removed %d images that nothing has run for a day from the Docker Engine", len(gone))
        self._layers.remove_unnamed((), before)

    def _named(self, client: DockerClient) -> Iterator[tuple[str, str]]:
        """Name and id of every version image below the place."""
        with engine_errors("list its images"):
            images = client.api.images()
        for image in images:
            for name in image.get("RepoTags") or ():
                if name.startswith(f"{self._place}/") and _OURS.fullmatch(name):
                    yield name, image["Id"]


def _named_at(client: DockerClient, image: str) -> float:
    """When the image last got a name; a build that finds all its steps again makes an image that is older.

    An image that is gone by now, or does not say, never counts as old.
    """
    found = find_image(client, image) or {}
    texts = (found.get("Created"), (found.get("Metadata") or {}).get("LastTagTime"))
    return max((datetime.fromisoformat(text).timestamp() for text in texts if text), default=math.inf)

"""What a state directory has left on a Docker Engine, for those who run nothing there themselves."""

from __future__ import annotations

import time

from controller.cli.output import note
from controller.cli.runtime.kept import kept_runtime
from controller.dockerd.connection import Connect
from controller.embedded.runtime.docker.containers import Containers
from controller.embedded.runtime.docker.mark import EngineMark
from controller.embedded.runtime.docker.ownership import Ownership
from controller.embedded.state_directory import StateDirectory
from controller.images.docker.cleaning import EngineCleaner
from controller.model.errors import PointsmanError
from controller.model.labels import STATE


def remove_containers(state: StateDirectory, connect: Connect) -> None:
    """Remove them where a killed run may have left some; where that is impossible now, say what a person can do."""
    mark = EngineMark(state.run)
    if not mark.may_have_containers:
        return
    try:
        Ownership(Containers(connect()), mark.id()).remove_all()
        mark.set_containers(possible=False)
    except PointsmanError as error:
        note(f"warning: containers of an earlier run may be left: {error.message}")
        note(f"hint: docker rm --force $(docker ps --all --quiet --filter label={STATE}={mark.id()})")


def remove_images(state: StateDirectory, connect: Connect) -> None:
    """Remove the Engine's images of a state directory that is about to go; what cannot be removed stays, with a warning."""
    kept = kept_runtime(state)
    if kept.is_docker:
        EngineCleaner(connect, kept.registry, state.images, state.cache).remove_unnamed((), time.time())

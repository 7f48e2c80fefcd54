"""What runs the endpoints of an embedded target: containers of a Docker Engine, or processes of this machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click

from controller.dockerd.connection import FIRST_ANSWER, connect
from controller.model.configuration import AUTO, DOCKER, PROCESS, RUNTIMES
from controller.model.errors import PointsmanError, Stalled

if TYPE_CHECKING:
    from docker import DockerClient

F = TypeVar("F", bound=Callable[..., Any])
_PATIENCE = 120
"""Seconds without a byte from the Engine: making a container from a large image on a busy machine takes a while."""

_SOON = 2
"""Seconds for the first answer where no Engine was asked for."""


def runtime_option(function: F) -> F:
    """`--runtime`, on every command that runs endpoints on this machine."""
    option = click.option(
        "--runtime",
        type=click.Choice(RUNTIMES),
        default=AUTO,
        show_default=True,
        envvar="POINTSMAN_RUNTIME",
        help="Run endpoints as containers of a Docker Engine or as processes. auto: containers if an Engine answers.",
    )
    return option(function)


@dataclass(frozen=True, slots=True)
class Choice:
    """`client` is the Engine's, where containers run; `platform` is what its images are for."""

    sentence: str
    """What was chosen and why, for a person."""
    client: DockerClient | None = None
    platform: str = ""

    @property
    def name(self) -> str:
        return DOCKER if self.client else PROCESS


PROCESSES = Choice("endpoints run as processes of this machine, as asked for")


def choose(wish: str, environment: Mapping[str, str]) -> Choice:
    """What a person or a configuration asked for; `auto` takes an Engine that answers soon.

    Raises what `connect` raises where Docker was asked for and is not there.
    """
    if wish == PROCESS:
        return PROCESSES
    try:
        return _engine(connect(environment, _PATIENCE, first_answer=FIRST_ANSWER if wish == DOCKER else _SOON))
    except PointsmanError as error:
        if wish == DOCKER:
            raise type(error)(error.message, hint=f"{error.hint}; or run processes: --runtime process") from error
        return Choice(f"endpoints run as processes of this machine: {error.message}")


def _engine(client: DockerClient) -> Choice:
    version = client.version()
    platform = f"{version['Os']}/{version['Arch']}"
    if version["Os"] != "linux":
        client.close()
        raise Stalled(f"the Docker Engine runs {version['Os']} containers", hint="switch it to Linux containers")
    return Choice(f"endpoints run as containers of the Docker Engine {version['Version']} ({platform})", client, platform)

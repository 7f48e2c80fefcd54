"""What runs the endpoints of an embedded target: containers of a Docker Engine, or processes of this machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import click

from controller.dockerd.connection import FIRST_ANSWER, connect, engine_errors
from controller.model.configuration import AUTO, DOCKER, PROCESS, RUNTIMES
from controller.model.errors import PointsmanError, Stalled

if TYPE_CHECKING:
    from docker import DockerClient

F = TypeVar("F", bound=Callable[..., Any])
_PATIENCE = 120
"""Seconds without a byte from the Engine: making a container from a large image on a busy machine takes a while."""

_VARIABLE = "POINTSMAN_RUNTIME"
_LOCAL = ("localhost", "127.0.0.1", "::1")
"""The SDK names every socket `localhost`."""

_SOON = 2
"""Seconds for the first answer where no Engine was asked for."""


def runtime_option(function: F) -> F:
    """`--runtime`, on every command that runs endpoints on this machine."""
    option = click.option(
        "--runtime",
        type=click.Choice(RUNTIMES),
        default=AUTO,
        show_default=True,
        envvar=_VARIABLE,
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
            known = f"{error.hint}; or " if error.hint else ""
            raise type(error)(error.message, hint=f"{known}run processes: --runtime process") from error
        return Choice(f"endpoints run as processes of this machine: {error.message}")


def expected(environment: Mapping[str, str]) -> Choice:
    """What a command would choose that is told nothing but variables; processes where it would refuse."""
    try:
        return choose(environment.get(_VARIABLE, AUTO), environment)
    except PointsmanError:
        return PROCESSES


def is_local(address: str) -> bool:
    """PURE: whether an Engine's address, as the SDK has it, is this machine's: elsewhere its published ports are, too."""
    return urlsplit(address).hostname in _LOCAL


def _engine(client: DockerClient) -> Choice:
    try:
        with engine_errors("say its version"):
            version = client.version()
        _require_usable(client.api.base_url, version["Os"])
    except PointsmanError:
        client.close()
        raise
    platform = f"{version['Os']}/{version['Arch']}"
    return Choice(f"endpoints run as containers of the Docker Engine {version['Version']} ({platform})", client, platform)


def _require_usable(address: str, system: str) -> None:
    if not is_local(address):
        hint = "use an Engine of this machine"
        raise Stalled(f"the Docker Engine at {address} is on another machine, and so are its containers' ports", hint=hint)
    if system != "linux":
        raise Stalled(f"the Docker Engine runs {system} containers", hint="switch it to Linux containers")

"""Reaching a Docker Engine where the `docker` program would reach it: `DOCKER_HOST`, the current context, the usual socket."""

from __future__ import annotations

import errno
import logging
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from controller.dockerd.refusals import refusal
from controller.model.errors import PointsmanError, Stalled, Unavailable

if TYPE_CHECKING:
    from docker import DockerClient

Connect = Callable[[], "DockerClient"]
"""Gives the client of an Engine that answers. Raises `Unavailable` or `Stalled` where there is none."""

TIMEOUT = 600
"""Seconds without a byte from the Engine; it is silent while it writes a large layer."""

FIRST_ANSWER = 10
"""Seconds for the first answer: an Engine that is there gives it in milliseconds, one that hangs must not hold up a start."""

_OLDEST = (1, 41)
"""Docker 20.10 (https://docs.docker.com/reference/api/engine/#api-version-matrix)."""

_LOG = logging.getLogger(__name__)
_START = "start Docker; `docker version` says whether it answers, DOCKER_HOST names another one"


def connect(environment: Mapping[str, str], timeout: int = TIMEOUT, first_answer: int = FIRST_ANSWER) -> DockerClient:
    """A client of the Engine that answers; close it. `environment` is the caller's, of which only `DOCKER_*` counts.

    Raises `Unavailable` where none answers, `Stalled` where it may not be used or is too old.
    """
    import docker  # noqa: PLC0415  (loading it takes as long as most commands)

    with engine_errors("answer"):
        place = _place(environment)
    address = str(place.get("base_url", "")).removeprefix("http+")
    with engine_errors("answer", address):
        knock(address.partition("unix://")[2], first_answer)
        client = docker.DockerClient(version="auto", timeout=first_answer, **place)
    client.api.timeout = timeout
    try:
        _require_recent(client)
    except PointsmanError:
        client.close()
        raise
    return client


def answering(environment: Mapping[str, str]) -> DockerClient | None:
    """As `connect`, but None where there is no usable Engine; the log says why."""
    try:
        return connect(environment)
    except PointsmanError as error:
        _LOG.info("no Docker Engine is used: %s", error.message)
        return None


def _place(environment: Mapping[str, str]) -> Mapping[str, Any]:
    """Address and TLS: the variables', else the context's. An empty environment would mean this process's to the SDK."""
    from docker.utils import kwargs_from_env  # noqa: PLC0415

    named: Mapping[str, Any] = kwargs_from_env(dict(environment) or {"DOCKER_HOST": ""})
    return named if "base_url" in named else {**_context_place(environment.get("DOCKER_CONTEXT")), **named}


def _context_place(name: str | None) -> Mapping[str, Any]:
    from docker.context import ContextAPI  # noqa: PLC0415

    found = ContextAPI.get_context(name)
    if found is None:
        raise Stalled(f"there is no Docker context {name or 'as config.json names it'}", hint="`docker context ls` lists them")
    return {"base_url": found.Host, **({"tls": found.TLSConfig} if found.TLSConfig else {})}


def knock(path: str, patience: int = FIRST_ANSWER) -> None:
    """Raise OSError where nobody listens on a socket of this machine: the SDK loses the reason, and the socket too.

    Nothing happens without a path, for an Engine that is reached otherwise.
    """
    if path:
        with socket.socket(socket.AF_UNIX) as tried:
            tried.settimeout(patience)
            tried.connect(path)


@contextmanager
def engine_errors(attempt: str, address: str = "") -> Iterator[None]:
    """Turns what the SDK raises inside into errors of ours; `attempt` completes "the Docker Engine cannot".

    `address` is told where nobody listens: which of variable, context and usual socket counted is easily mistaken.
    """
    import requests  # noqa: PLC0415  (the SDK's own transport, and as slow to load)
    import urllib3  # noqa: PLC0415
    from docker.errors import APIError, DockerException  # noqa: PLC0415

    try:
        yield
    except APIError as error:
        raise refusal(str(error.explanation or error), attempt, error.status_code or 0) from error
    except (DockerException, requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
        raise _unreached(error, attempt, address) from error


def _unreached(error: Exception, attempt: str, address: str) -> PointsmanError:
    """No answer at all. The SDK wraps the cause several times, and at the beginning keeps only its text."""
    code = next((found.errno for found in _causes(error) if isinstance(found, OSError) and found.errno), None)
    if code == errno.EACCES or "Permission denied" in str(error):
        hint = "add this account to the group `docker` (`sudo usermod -aG docker $USER`, then log in again)"
        return Stalled("this account may not use the Docker Engine's socket", hint=hint)
    if code in (errno.ENOENT, errno.ECONNREFUSED) or "No such file" in str(error) or "Connection refused" in str(error):
        return Unavailable(f"no Docker Engine answers{f' at {address}' if address else ''}", hint=_START)
    return Unavailable(f"the Docker Engine did not {attempt}: {_last_words(error)}", hint=_START)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """An exception and everything that it came from: by `raise`, or as an argument, as urllib3 and requests hand it on."""
    waiting, seen = [error], set[int]()
    while waiting:
        found = waiting.pop()
        if found is None or id(found) in seen:
            continue
        seen.add(id(found))
        yield found
        waiting += [found.__cause__, found.__context__, *(a for a in found.args if isinstance(a, BaseException))]


def _last_words(error: BaseException) -> str:
    """The innermost cause: what surrounds it names addresses inside this process."""
    innermost = list(_causes(error))[-1]
    return str(innermost) or type(innermost).__name__


def _require_recent(client: DockerClient) -> None:
    version = client.api.api_version
    found = tuple(int(part) for part in version.split(".") if part.isdigit())
    if found < _OLDEST:
        hint = "use Docker Engine 20.10 or newer"
        raise Stalled(f"the Docker Engine is too old: it speaks version {version} of its API, not 1.41", hint=hint)

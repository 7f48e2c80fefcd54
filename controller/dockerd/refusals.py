"""A Docker Engine's failures as our errors. Pure.

An Engine says most of what goes wrong in one line of text, in an answer or in the stream of a build, pull or push that began
well; a status alone says little (a registry's refusal is a 500 of the Engine). The phrases are those of
https://github.com/moby/moby (20.10 to 28) and of registries behind it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from controller.loading.printable import shown
from controller.model.errors import Conflict, Forbidden, PointsmanError, Stalled, Transient, Unavailable

_LONGEST = 2000
_AGAIN = "; it is tried again"


@dataclass(frozen=True, slots=True)
class _Meaning:
    phrase: re.Pattern[str]
    kind: type[PointsmanError]
    hint: str


def _meaning(phrase: str, kind: type[PointsmanError], hint: str) -> _Meaning:
    return _Meaning(re.compile(phrase, re.IGNORECASE), kind, hint + (_AGAIN if issubclass(kind, Transient) else ""))


_MEANINGS = (
    _meaning(
        r"no space left|disk quota|not enough space",
        Transient,
        "the Engine's disk is full: `docker system df` shows what lies there, `docker system prune` frees what is unused",
    ),
    _meaning(
        r"toomanyrequests|too many requests|rate limit|\b429\b",
        Transient,
        "the registry limits pulls: `docker login` raises the limit, a mirror avoids it",
    ),
    _meaning(
        r"http response to https client",
        Stalled,
        "the registry speaks plain HTTP: name it in `insecure-registries` of the Engine's /etc/docker/daemon.json",
    ),
    _meaning(r"x509:|\btls: ", Stalled, "give the Engine the registry's certificate authority below /etc/docker/certs.d"),
    _meaning(
        r"no matching manifest for|does not match the specified platform|no match for platform",
        Stalled,
        "name a base image that has this platform",
    ),
    _meaning(
        r"pull access denied|repository does not exist",
        Stalled,
        "correct the image's name, or log in to its registry: `docker login`",
    ),
    _meaning(
        r"denied|unauthorized|authentication required|no basic auth|insufficient[_ ]scope|forbidden",
        Forbidden,
        "log in to the registry with an account that may do this: `docker login`",
    ),
    _meaning(
        r"manifest unknown|manifest for .* not found|no such image|name unknown|no such object",
        Stalled,
        "correct the image's name; one that was removed has to be built or pushed again",
    ),
    _meaning(
        r"connection re(?:fused|set)|timed? ?out|timeout|no such host|unreachable|unexpected eof|\beof\b|\b50[234]\b|try again",
        Unavailable,
        "check that the Engine reaches the registry",
    ),
    _meaning(
        r"invalid tar header|unsupported layer|unknown compression", Stalled, "a newer Docker Engine (23 or later) reads it"
    ),
    _meaning(r"client version .* is too (?:old|new)|minimum supported api", Stalled, "use Docker Engine 20.10 or newer"),
)


def refusal(said: str, attempt: str, status: int = 0) -> PointsmanError:
    """The error for what an Engine said to an `attempt` ("push the image x"); `status` is HTTP's, 0 for a line of a stream."""
    text = shown(said.strip())[:_LONGEST] or f"status {status}"
    message = f"the Docker Engine cannot {attempt}: {text}"
    found = next((meaning for meaning in _MEANINGS if meaning.phrase.search(text)), None)
    if found:
        return found.kind(message, hint=found.hint)
    if status == 409:
        return Conflict(message, hint="something else uses or changes it at the same time" + _AGAIN)
    if status >= 500:
        return Unavailable(message, hint="the Engine's own log says more: `journalctl -u docker`" + _AGAIN)
    return Stalled(message)

"""What uv says when it fails, as errors of ours: whether it may pass, and the next step."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from controller.images.indexes import Indexes
from controller.loading.printable import LOGIN, shown, without_logins
from controller.model.configuration import PackageIndex
from controller.model.errors import PointsmanError, Stalled, Transient

_HEAD_LINES = 8
_TAIL_LINES = 12
_MOST_CHARACTERS = 3000
_SECRET_NAME = re.compile(r"(?:UV|PIP)_\w*(?:PASSWORD|TOKEN)", re.IGNORECASE)

_TEMPORARY = re.compile(
    r"error sending request|dns error|connection (?:reset|refused|closed)|timed? ?out"
    r"|(?:error|status)[^\n]{0,40}\b(?:429|5\d\d)\b"
    r"|no space left|disk quota|network is unreachable",
    re.IGNORECASE,
)
_HINTS = (
    (r"no space left|disk quota", "free space in the cache directory"),
    (r"error sending request|dns error|network", "check the network and the package index; it is tried again"),
    (r"\b40[13]\b|unauthorized|forbidden", "the package index wants credentials: {credentials}"),
    (r"couldn't parse|unexpected '", "correct this line of the requirements file"),
    (r"hash mismatch", "the index serves other bytes than the lock file says: renew the hashes{asked}"),
    (r"hash-checking is required", "what locked packages bring along needs lines with hashes too: lock all of it"),
    (r"failed to build|build backend|build fail", "this package's own build failed: pin a version that has a wheel"),
    (r"source distributions is disabled", "only wheels enter a container: publish this package as one"),
    (
        r"no usable wheels|wheels are required|no wheels|no source distribution|matching (?:platform|python \w+) tag",
        "no wheel fits {python}: pin a version that has one{instead}",
    ),
    (r"requires-?python|python(?:_requires)?\s*[<>=]", "pin versions that support {python}"),
    (
        r"there is no version|there are no versions|was not found in|not found in the package registry|\b404\b",
        "correct the name or the version in the requirements file{asked}",
    ),
    (r"no solution found", "these requirements exclude each other: change one of the versions that are named here"),
)
_OWN_CREDENTIALS = "set UV_INDEX_URL or UV_INDEX_*_PASSWORD, or `dependencies.indexes` of a controller's configuration"


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What an installation was for. `python` stands in a sentence; `instead` are further remedies where no wheel fits.

    `origin` is the address of the index that a lock names.
    """

    python: str = "this Python and platform"
    instead: str = ""
    indexes: Indexes | None = None
    secrets: tuple[str, ...] = ()
    origin: str = ""


def failure(output: str, about: Circumstances = Circumstances()) -> PointsmanError:
    """What uv said as an error of ours, with the next step."""
    text = without_logins(_without(output, about.secrets)).strip()
    words = _excerpt(text)
    hint = next((hint for pattern, hint in _HINTS if re.search(pattern, text, re.IGNORECASE)), None)
    kind = Transient if _TEMPORARY.search(text) else Stalled
    message = f"the requirements cannot be installed:\n{words or 'uv said nothing'}"
    return kind(message, hint=hint and hint.format_map(_particulars(text, about)))


def _excerpt(text: str) -> str:
    """The first lines, which name the package, and the last ones, which name what there is; the middle may be any length."""
    lines = [shown(line) for line in text.splitlines()]
    if len(lines) > _HEAD_LINES + _TAIL_LINES:
        lines = [*lines[:_HEAD_LINES], "...", *lines[-_TAIL_LINES:]]
    joined = "\n".join(lines)
    return (
        joined if len(joined) <= _MOST_CHARACTERS else f"{joined[: _MOST_CHARACTERS // 2]}...{joined[-_MOST_CHARACTERS // 2 :]}"
    )


def _particulars(text: str, about: Circumstances) -> dict[str, str]:
    credentials, asked = _OWN_CREDENTIALS, ""
    if about.indexes:
        credentials = _configured_credentials(about.indexes.named_in(text))
        asked = _asked(about.indexes, about.origin)
    return {"python": about.python, "instead": about.instead, "credentials": credentials, "asked": asked}


def _asked(indexes: Indexes, origin: str) -> str:
    """Where it was looked for, for who expected another index."""
    if origin and not indexes.at(origin):
        return f"; uv.lock names {shown(without_logins(origin))}, which its source may not use"
    names = " and ".join(f"`{index.name}`" for index in indexes.indexes)
    return f"; asked was {names}" if names else "; only the public index was asked"


def _configured_credentials(index: PackageIndex | None) -> str:
    if index is None:
        return "give them in `dependencies.indexes` of the controller's configuration"
    if index.password is None:
        return f"add `credentials` to `dependencies.indexes.{index.name}` in the controller's configuration"
    return f"correct what {index.password} holds, which the index `{index.name}` refuses, then `pointsman reconcile`"


def secrets_of(environment: Mapping[str, str] | None) -> tuple[str, ...]:
    """Logins in the account's own configuration of uv and pip, which uv puts into the addresses that name their variables."""
    given = (environment or {}).items()
    found = [value for name, value in given if _SECRET_NAME.fullmatch(name)]
    found += [part for _, value in given for login in LOGIN.findall(value) for part in login.rstrip("@").split(":")[1:]]
    return tuple(filter(None, found))


def _without(text: str, secrets: Iterable[str]) -> str:
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, "***")
    return text

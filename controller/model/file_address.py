"""Addresses of declared files in the one form in which they are compared with what a source is granted."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import unquote

_ADDRESS = re.compile(r"(?P<scheme>[a-z0-9]+)://(?P<authority>[^/?#\\]+)(?P<path>(?:/[^?#\\]*)?)(?:[?#].*)?", re.IGNORECASE)
_PRINTED = re.compile(r"[!-~]+")
_ESCAPE = re.compile(r"%([0-9a-fA-F]{2})")
_UNRESERVED = re.compile(r"[A-Za-z0-9._~-]")
_CONTAINERS = ("abfs", "abfss")
"""Schemes in which what stands before the `@` is a container and no login."""
_DEEPEST = 5


@dataclass(frozen=True, slots=True)
class FileAddress:
    """Scheme, host (with a port that is not the usual one) and path, as RFC 3986 makes equal ones look equal (6.2.2)."""

    scheme: str
    authority: str
    path: str

    @classmethod
    def parse(cls, text: str) -> FileAddress | None:
        """The address; None for one that programs may read in two ways: a login, a backslash, `..` in any disguise."""
        match = _ADDRESS.fullmatch(text) if _PRINTED.fullmatch(text) else None
        if match is None or _climbs(match["path"]):
            return None
        scheme, authority = match["scheme"].lower(), match["authority"].lower()
        if "@" in authority and scheme not in _CONTAINERS:
            return None
        usual = ":443" if scheme == "https" else ""
        return cls(scheme, authority.removesuffix(usual), _ESCAPE.sub(_plain, match["path"]) or "/")

    def begins_with(self, prefix: FileAddress) -> bool:
        """Whether this lies on the same host, and its path begins as the prefix's does."""
        same = (self.scheme, self.authority) == (prefix.scheme, prefix.authority)
        return same and self.path.startswith(prefix.path)


def place_of(address: str) -> str:
    """Where a file lies, whatever signature its address carries: the same for equal addresses."""
    found = FileAddress.parse(address)
    return f"{found.scheme}://{found.authority}{found.path}" if found else address


def is_granted(address: str, prefixes: Iterable[str]) -> bool:
    """Whether an address begins with one of the prefixes."""
    found = FileAddress.parse(address)
    wanted = map(FileAddress.parse, prefixes)
    return found is not None and any(found.begins_with(prefix) for prefix in wanted if prefix)


def _plain(escape: re.Match[str]) -> str:
    letter = chr(int(escape[1], 16))
    return letter if _UNRESERVED.fullmatch(letter) else escape[0].upper()


def _climbs(path: str) -> bool:
    """Whether a server could read a `..` in it, however often it is escaped."""
    for _ in range(_DEEPEST):
        if ".." in re.split(r"[/\\;]", path):
            return True
        plain = unquote(path)
        if plain == path:
            return False
        path = plain
    return True

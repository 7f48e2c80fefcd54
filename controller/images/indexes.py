"""The package indexes of the controller's configuration: who may use which, and how uv hears of them and their passwords.

uv puts variables of its environment into every address that it reads, also into those of a package's metadata, and quotes
them in its errors. So no password is in its environment, and none in a file or an argument: it reads its configuration
from a pipe.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from urllib.parse import quote, urlsplit

from controller.model.configuration import PackageIndex
from controller.model.errors import Transient

_PORTS = {"http": 80, "https": 443}
_UNUSUAL = re.compile(r"[^!#-;=?-\[\]_a-z~]")
"""Characters that no address needs, which readers of addresses understand in different ways."""
_OUTSIDE = ("..", "%2e", "%2f", "%5c")
"""Parts of a path that may lead out of it, in lower case."""


@dataclass(frozen=True, slots=True)
class UvConfiguration:
    """A `uv.toml`; `secrets` are what must not be repeated from it."""

    text: str | None = None
    secrets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Indexes:
    """What one installation may fetch from, in the order that it asks; the default index comes last, where there is one."""

    indexes: tuple[PackageIndex, ...]

    @property
    def identity(self) -> list[list[str]]:
        """What stands for them in a layer's inputs: who may use less must not get a layer of who may use more."""
        return [[index.url, "default" if index.is_default else index.name] for index in self.indexes]

    def at(self, address: str) -> PackageIndex | None:
        """The index that is named by an address, with or without a user and a slash at its end."""
        place = _place(address)
        return next((index for index in self.indexes if place and place == _place(index.url)), None)

    def holds(self, address: str) -> bool:
        """Whether an address lies below an index."""
        place = _place(address)
        return any(place and home and _is_below(place, home) for home in (_place(index.url) for index in self.indexes))

    def alone(self, address: str) -> Indexes:
        """For what a lock took from an address: that index and no other, or the default one where it is none of these."""
        index = self.at(address)
        if index is None:
            return Indexes(tuple(index for index in self.indexes if index.is_default))
        return Indexes((replace(index, is_default=True),))

    def configuration(self) -> UvConfiguration:
        """For uv, with the passwords as their files say now. Raises Transient for one that cannot be read."""
        tables, secrets = ['index-strategy = "first-index"\nkeyring-provider = "disabled"\n'], list[str]()
        for index in self.indexes:
            password = _password(index)
            secrets += [password, quote(password, safe="")] if password else []
            tables.append(_table(index, password))
        return UvConfiguration("".join(tables), tuple(secrets))

    def named_in(self, words: str) -> PackageIndex | None:
        """The index whose address occurs in uv's words."""
        return next((index for index in self.indexes if index.url.rstrip("/") in words), None)


def granted_indexes(configured: Mapping[str, PackageIndex], names: Iterable[str]) -> Indexes:
    """Those that a source may use: the ones granted by their name or by `*`, and the default one, which is for all."""
    granted = set(names)
    found = [i for name, i in configured.items() if not i.is_default and granted & {name, "*"}]
    return Indexes((*found, *(index for index in configured.values() if index.is_default)))


def _table(index: PackageIndex, password: str) -> str:
    scheme, _, rest = index.url.partition("://")
    login = f"{quote(index.username, safe='')}:{quote(password, safe='')}@" if password else ""
    lines = [
        f"name = {json.dumps(index.name)}",
        f"url = {json.dumps(f'{scheme}://{login}{rest}')}",
        f"default = {json.dumps(index.is_default)}",
        'authenticate = "always"' if password else 'authenticate = "never"',
    ]
    return "[[index]]\n" + "".join(f"{line}\n" for line in lines)


def _password(index: PackageIndex) -> str:
    if index.password is None:
        return ""
    try:
        password = index.password.read_text("utf-8").strip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        message = f"the password of the package index `{index.name}` cannot be read from {index.password}: {reason}"
        raise Transient(message, hint="mount or make the file; it is tried again") from error
    if not password:
        message = f"the password of the package index `{index.name}` is empty: {index.password}"
        raise Transient(message, hint="write it there; it is tried again")
    return password


def _place(address: str) -> tuple[str, str, int, str] | None:
    """Scheme, host, port and path; None for an address that could mean another place than it seems to."""
    if _UNUSUAL.search(address):
        return None
    try:
        parts = urlsplit(address)
        port = parts.port or _PORTS.get(parts.scheme, 0)
    except ValueError:
        return None
    if not port or not parts.hostname or any(part in parts.path.lower() for part in _OUTSIDE) or parts.query:
        return None
    return parts.scheme, parts.hostname.lower(), port, parts.path.rstrip("/")


def _is_below(place: tuple[str, str, int, str], home: tuple[str, str, int, str]) -> bool:
    return place[:3] == home[:3] and place[3].startswith(f"{home[3]}/")

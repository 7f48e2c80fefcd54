"""The lines of an `.htpasswd` as a gateway reads them: one `name:hash` per user, and no hash that it cannot check."""

from __future__ import annotations

from collections.abc import Iterator

from controller.model.errors import Stalled


def clean_users(text: str, hashes: tuple[str, ...], *, where: str, gateway: str) -> str:
    """The users without comments and repetitions (the first line of a user counts, as in Apache).

    Raises Stalled, naming the user and never the hash, for a line that begins with none of `hashes`: some gateways
    would take it for a password in plain text, others refuse the whole file.
    """
    users: dict[str, str] = {}
    for name, stored in _lines(text):
        if not stored.startswith(hashes):
            raise Stalled(
                f"{where}: the password of user {name!r} is stored in a form that gateway class {gateway} cannot check",
                hint=f"store it as one of {', '.join(hashes)}: htpasswd -nbs {name} PASSWORD makes a line with {{SHA}}",
            )
        users.setdefault(name, stored)
    return "".join(f"{name}:{stored}\n" for name, stored in users.items())


def _lines(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        name, colon, stored = line.strip().partition(":")
        if colon and not name.startswith("#"):
            yield name, stored.partition(":")[0]

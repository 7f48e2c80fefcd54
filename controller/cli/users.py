"""Lines of an `.htpasswd` file: a user gets a password that nobody could guess, and the file only its hash."""

from __future__ import annotations

import base64
import hashlib
import re
import secrets

from controller.model.errors import Stalled
from controller.model.secret import Secret

HTPASSWD = ".htpasswd"
_USER = re.compile(r"[^:\s\x00-\x1f\x7f#][^:\x00-\x1f\x7f]{0,254}")
_TOKEN_BYTES = 24


def with_user(text: str, user: str) -> tuple[str, Secret]:
    """The file with a new line for `user` in place of an old one, and the new password. Raises Stalled for a bad name.

    `{SHA}` is what every gateway understands (Traefik, Envoy Gateway, this program's own); its weakness, quick guessing,
    does not matter for 192 random bits.
    """
    if not _USER.fullmatch(user):
        raise Stalled(f"{user[:80]!r} cannot be a user name", hint="no colon, no control character, no # at its start")
    password = secrets.token_urlsafe(_TOKEN_BYTES)
    digest = hashlib.sha1(password.encode(), usedforsecurity=False).digest()
    line = f"{user}:{{SHA}}{base64.b64encode(digest).decode()}"
    kept = [old for old in text.splitlines() if old.strip().partition(":")[0] != user]
    return "".join(f"{one}\n" for one in [*kept, line]), Secret(password)

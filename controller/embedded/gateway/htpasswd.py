"""Users of an `.htpasswd` file: `{SHA}` (what every gateway understands) and `$apr1$`; nothing that is plain text."""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass

from controller.embedded.gateway.apr1 import apr1

_LONGEST_PASSWORD = 256
"""apr1 costs more the longer a password is, and the client chooses it."""


@dataclass(frozen=True, slots=True, repr=False)
class Users:
    """`hashes` by user name; `unsupported` counts lines in a form that cannot be checked here (bcrypt, crypt)."""

    hashes: dict[str, str]
    unsupported: int = 0

    def admits(self, user: str, password: bytes) -> bool:
        """Whether this is the user's password."""
        stored = self.hashes.get(user)
        if stored is None or len(password) > _LONGEST_PASSWORD:
            return False
        return hmac.compare_digest(_hash_like(stored, password), stored)


def parse_users(text: str) -> Users:
    """Comments and empty lines are skipped; of two lines for a user the first counts, as in Apache."""
    hashes: dict[str, str] = {}
    unsupported = 0
    for line in text.splitlines():
        user, colon, stored = line.strip().partition(":")
        if not colon or user.startswith("#"):
            continue
        if stored.isascii() and stored.startswith(("{SHA}", "$apr1$")):
            hashes.setdefault(user, stored)
        else:
            unsupported += 1
    return Users(hashes, unsupported)


def _hash_like(stored: str, password: bytes) -> str:
    if stored.startswith("{SHA}"):
        return "{SHA}" + base64.b64encode(hashlib.sha1(password, usedforsecurity=False).digest()).decode()
    return apr1(password, stored.split("$")[2].encode())

"""Basic auth against a Secret's `.htpasswd`, and one user of Pointsman's own for golden requests. It fails closed."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
from collections import OrderedDict

from controller.embedded.gateway.answers import Answer, RefusedError
from controller.embedded.gateway.htpasswd import Users, parse_users
from controller.model.errors import PointsmanError
from controller.model.identity import ObjectKey
from controller.model.objects import at
from controller.model.ports import ClusterClient

PROBE_USER = "pointsman-probe"
HTPASSWD = ".htpasswd"
_FRESH = 1.0
"""Seconds for which a Secret that was read stays good; so late may a removed user still come in."""
_REMEMBERED = 256


class Access:
    """Checks the credentials of requests. Lives on the gateway's loop; reads Secrets beside it."""

    def __init__(self, store: ClusterClient, probe_token: str) -> None:
        self._store = store
        self._probe_token = probe_token.encode()
        self._users: dict[ObjectKey, tuple[float, Users]] = {}
        self._admitted: OrderedDict[bytes, None] = OrderedDict()

    async def check(self, secret: ObjectKey, authorization: bytes | None) -> None:
        """Raises `RefusedError`: 401 for the client's fault, 500 where nobody could be let in."""
        users = await self._read(secret)
        user, password = _credentials(authorization)
        if user is None or not (self._is_probe(user, password) or self._admits(users, user, password)):
            raise RefusedError(_unauthorized())

    def _is_probe(self, user: str, password: bytes) -> bool:
        return bool(self._probe_token) and user == PROBE_USER and hmac.compare_digest(password, self._probe_token)

    def _admits(self, users: Users, user: str, password: bytes) -> bool:
        # a slow hash is worked out once per user and password; a changed line is another entry
        proof = "\0".join((user, users.hashes.get(user, ""))).encode() + b"\0" + password
        mark = hashlib.sha256(proof).digest()
        if mark in self._admitted:
            self._admitted.move_to_end(mark)
            return True
        if not users.admits(user, password):
            return False
        self._admitted[mark] = None
        if len(self._admitted) > _REMEMBERED:
            self._admitted.popitem(last=False)
        return True

    async def _read(self, secret: ObjectKey) -> Users:
        now = asyncio.get_running_loop().time()
        known = self._users.get(secret)
        if known is not None and now - known[0] < _FRESH:
            return known[1]
        self._users.pop(secret, None)
        users = await asyncio.to_thread(self._load, secret)
        self._users[secret] = (now, users)
        return users

    def _load(self, secret: ObjectKey) -> Users:
        try:
            found = self._store.get(secret)
        except PointsmanError as error:
            raise RefusedError(_closed(f"The users of this endpoint cannot be read: {error.message}.")) from error
        encoded = at(found or {}, "data", HTPASSWD)
        if encoded is None:
            raise RefusedError(_closed(f"The Secret `{secret.name}` with the key `{HTPASSWD}` is missing."))
        try:
            users = parse_users(base64.b64decode(encoded, validate=True).decode())
        except ValueError as error:
            raise RefusedError(_closed(f"`{HTPASSWD}` of the Secret `{secret.name}` is not text.")) from error
        if users.unsupported and not users.hashes:
            raise RefusedError(
                _closed(f"The Secret `{secret.name}` has no user with a {{SHA}} or apr1 hash: `htpasswd -s` makes one.")
            )
        return users


def _credentials(authorization: bytes | None) -> tuple[str | None, bytes]:
    scheme, _, encoded = (authorization or b"").partition(b" ")
    if scheme.lower() != b"basic":
        return None, b""
    try:
        user, colon, password = base64.b64decode(encoded.strip(), validate=True).partition(b":")
        return (user.decode() if colon else None), password
    except (binascii.Error, UnicodeDecodeError):
        return None, b""


def _unauthorized() -> Answer:
    challenge = (b"WWW-Authenticate", b'Basic realm="pointsman", charset="UTF-8"')
    return Answer(401, "Unauthorized", "This endpoint needs a user and a password.", headers=(challenge,))


def _closed(message: str) -> Answer:
    return Answer(500, "AccessNotConfigured", message, hint="nobody is let in until `access` of the deployment can be checked")

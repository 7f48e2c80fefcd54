"""How a registry is told who asks: basic authentication, or a token for exactly the scopes that it names.

Facts: https://distribution.github.io/distribution/spec/auth/token/ and .../auth/oauth/. Tokens may live for 60 seconds
only, and a registry reads a whole upload before it refuses one, so a token that is about to end is never used.
"""

from __future__ import annotations

import base64
import json
import re
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx2

from controller.images.registry.auth import Credentials, Login
from controller.images.registry.bodies import document
from controller.model.errors import Forbidden, Stalled, Unavailable

_LIFETIME = 60.0
"""Seconds that a token lives when its server does not say, by the specification."""

_MARGIN = 25.0
_LARGEST = 1 << 20
_PARAMETER = re.compile(r'([a-zA-Z_]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s,]+))')


@dataclass(frozen=True, slots=True)
class Challenge:
    """What a 401 asks for: the `scheme` in lower case and its parameters."""

    scheme: str
    parameters: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Token:
    header: str
    until: float
    challenge: Challenge | None = None


class Tokens:
    """The authorization of one registry, remembered per scope. Safe for threads."""

    def __init__(self, name: str, credentials: Credentials, client: httpx2.Client, *, plain: bool) -> None:
        self._name = name
        self._credentials = credentials
        self._client = client
        self._plain = plain
        self._lock = threading.Lock()
        self._known: dict[str, _Token] = {}

    def header(self, scope: str) -> str | None:
        """What to send for a scope, as far as it is known; renewed where it is about to end."""
        with self._lock:
            token = self._known.get(scope)
            if token and token.challenge and time.monotonic() > token.until:
                token = self._known[scope] = self._ask(token.challenge)
            return token.header if token else None

    def answer(self, scope: str, challenges: str, refused: str | None) -> str:
        """What to send after a 401 that refused the header `refused`. Raises `Forbidden` where there is nothing better."""
        with self._lock:
            token = self._known.get(scope)
            if token is None or token.header == refused:
                token = self._known[scope] = self._ask(_chosen(parse_challenges(challenges)), refused)
            return token.header

    def explain(self, action: str) -> Forbidden:
        """The refusal of an action, naming whose login was used."""
        login = self._credentials.login(self._name)
        if login is None:
            hint = f"`docker login {self._name}`, or name credentials for it in the controller's configuration"
            message = f"{self._name} wants a login to {action}, and there is none in {self._credentials.origin}"
            return Forbidden(message, hint=hint)
        who = f"{login.user or 'the identity token'} from {login.origin}"
        return Forbidden(f"{self._name} does not let {who} {action}", hint="check the login and what it may do there")

    def _ask(self, challenge: Challenge | None, refused: str | None = None) -> _Token:
        login = self._credentials.login(self._name)
        if challenge is None:
            raise Stalled(f"{self._name} asks for a kind of login that is not supported")
        if challenge.scheme == "basic":
            token = _Token(_basic(login), float("inf")) if login else None
            if token is None or token.header == refused:
                raise self.explain("do this")
            return token
        return self._fetch(challenge, login)

    def _fetch(self, challenge: Challenge, login: Login | None) -> _Token:
        realm = challenge.parameters.get("realm", "")
        if not realm.startswith("https://") and not (self._plain and realm.startswith("http://")):
            raise Stalled(f"{self._name} names no safe address for its tokens")
        try:
            status, content = self._exchange(realm, challenge, login)
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise Unavailable(f"the token service of {self._name} does not answer: {type(error).__name__}") from error
        if status in (400, 401, 403):
            raise self.explain("have a token")
        if status != 200:
            raise Unavailable(f"the token service of {self._name} answers {status}")
        return self._token(content, challenge)

    def _exchange(self, realm: str, challenge: Challenge, login: Login | None) -> tuple[int, bytes]:
        scopes = challenge.parameters.get("scope", "").split()
        query = {name: challenge.parameters[name] for name in ("service",) if name in challenge.parameters}
        if login and login.identity:
            form = {"grant_type": "refresh_token", "refresh_token": login.identity.reveal(), "client_id": "pointsman"}
            asked = self._client.stream("POST", realm, data={**form, **query, "scope": " ".join(scopes)})
        else:
            headers = {"authorization": _basic(login)} if login else {}
            parameters = httpx2.QueryParams({**query, "scope": scopes})
            asked = self._client.stream("GET", realm, params=parameters, headers=headers)
        with asked as response:
            return response.status_code, document(response, _LARGEST)

    def _token(self, content: bytes, challenge: Challenge) -> _Token:
        try:
            document: dict[str, Any] = json.loads(content)
            text = document.get("token") or document["access_token"]
            lifetime = float(document.get("expires_in") or _LIFETIME)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise Unavailable(f"the token service of {self._name} answers with something else than a token") from error
        margin = min(_MARGIN, lifetime / 2)
        return _Token(f"Bearer {text}", time.monotonic() + lifetime - margin, challenge)


def parse_challenges(text: str) -> list[Challenge]:
    """The challenges of a `WWW-Authenticate` header, in its order."""
    found: list[Challenge] = []
    for match in re.finditer(rf"(?:^|(?<=[,\s]))(Basic|Bearer)\s+((?:{_PARAMETER.pattern}(?:\s*,\s*)?)*)", text, re.IGNORECASE):
        values = {m[1].lower(): m[3] or re.sub(r"\\(.)", r"\1", m[2] or "") for m in _PARAMETER.finditer(match[2])}
        found.append(Challenge(match[1].lower(), values))
    return found


def _chosen(challenges: list[Challenge]) -> Challenge | None:
    return next((c for scheme in ("bearer", "basic") for c in challenges if c.scheme == scheme), None)


def _basic(login: Login) -> str:
    text = f"{login.user}:{login.password.reveal()}"
    return f"Basic {base64.b64encode(text.encode()).decode()}"

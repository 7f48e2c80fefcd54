"""Credentials of registries, as Docker keeps them; a `kubernetes.io/dockerconfigjson` Secret is the same document.

Facts: https://docs.docker.com/reference/cli/docker/login/ (credential stores) and
https://github.com/docker/docker-credential-helpers (protocol: the registry on stdin, JSON on stdout).
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from controller.images.registry.reference import DOCKER_HUB
from controller.model.errors import Stalled
from controller.model.secret import Secret

_HUB_KEY = "https://index.docker.io/v1/"
_HELPER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_HELPER_SECONDS = 30.0
_NOT_FOUND = "credentials not found"
_TOKEN_USER = "<token>"  # noqa: S105  (the protocol's own word for "what follows is an identity token")

RunHelper = Callable[[str, str], str]
"""(name of the helper, registry) to what it prints."""


@dataclass(frozen=True, slots=True)
class Login:
    """What to show to a registry. `identity` is an OAuth2 refresh token; `origin` says where it comes from."""

    user: str
    password: Secret
    identity: Secret | None = None
    origin: str = ""


@dataclass(frozen=True, slots=True)
class Credentials:
    """The logins of one Docker configuration; `origin` names it in messages."""

    document: Mapping[str, Any] = field(default_factory=dict, repr=False)
    origin: str = "no credentials"
    run_helper: RunHelper | None = None

    def login(self, registry: str) -> Login | None:
        """The login for a registry, or None: a helper of its own first, then what is written, then the general store."""
        own = _mapping(self.document.get("credHelpers")).get(registry)
        if own:
            return self._from_helper(str(own), registry)
        written = self._written(registry)
        store = self.document.get("credsStore")
        return written or (self._from_helper(str(store), registry) if store else None)

    def _written(self, registry: str) -> Login | None:
        for key, value in _mapping(self.document.get("auths")).items():
            if _host(key) == _host(_key(registry)):
                return self._entry(key, _mapping(value))
        return None

    def _entry(self, key: str, entry: Mapping[str, Any]) -> Login | None:
        user, password = str(entry.get("username", "")), str(entry.get("password", ""))
        if entry.get("auth"):
            user, password = self._decoded(key, str(entry["auth"]))
        identity = entry.get("identitytoken")
        if not user and not identity:
            return None
        return Login(user, Secret(password), Secret(str(identity)) if identity else None, self.origin)

    def _decoded(self, key: str, auth: str) -> tuple[str, str]:
        try:
            user, _, password = base64.b64decode(auth, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError) as error:
            raise Stalled(f"the login for {key} in {self.origin} is not base64 text", hint="log in again") from error
        return user, password.rstrip("\0")

    def _from_helper(self, name: str, registry: str) -> Login | None:
        run = self.run_helper or run_helper
        if not _HELPER.fullmatch(name):
            raise Stalled(f"{self.origin} names the credential helper {name!r}, which is no name of a program")
        printed = run(name, _key(registry))
        if not printed:
            return None
        try:
            found = _mapping(json.loads(printed))
        except ValueError as error:
            raise Stalled(f"docker-credential-{name} printed something else than JSON") from error
        user, secret = str(found.get("Username", "")), Secret(str(found.get("Secret", "")))
        origin = f"docker-credential-{name}"
        return Login("", Secret(""), secret, origin) if user == _TOKEN_USER else Login(user, secret, None, origin)


def parse_docker_config(text: str, origin: str, run: RunHelper | None = None) -> Credentials:
    """The credentials of a `config.json` or `.dockerconfigjson`. Raises `Stalled`, never with a part of the text."""
    try:
        document = json.loads(text)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        hint = "`docker login` writes one; in a Secret it is the key .dockerconfigjson"
        raise Stalled(f"{origin} is no Docker configuration", hint=hint)
    return Credentials(document, origin, run)


def run_helper(name: str, registry: str) -> str:
    """What `docker-credential-<name> get` prints; empty where it knows no login. Raises `Stalled` where it fails."""
    program = f"docker-credential-{name}"
    try:
        done = subprocess.run(
            [program, "get"], input=registry, capture_output=True, text=True, timeout=_HELPER_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        hint = "install it, or log in without a helper"
        raise Stalled(f"{program} cannot be run: {type(error).__name__}", hint=hint) from error
    if done.returncode == 0:
        return done.stdout
    if _NOT_FOUND in (done.stdout + done.stderr).lower():
        return ""
    raise Stalled(f"{program} failed with code {done.returncode}", hint=f"run `{program} get` by hand to see why")


def _key(registry: str) -> str:
    return _HUB_KEY if registry == DOCKER_HUB else registry


def _host(key: str) -> str:
    """Keys are hosts, or URLs in files of old Docker versions."""
    return key.partition("://")[2].partition("/")[0] if "://" in key else key.partition("/")[0]


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}

"""The environment of an endpoint's container."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from controller.model.declared import Environment, SecretRef

DEFAULT_PREFIX = "VH_DEFAULT_PREFIX"
KEEP_ALIVE = 75
"""Seconds for which servers keep an idle connection: longer than the proxies that pool them (kserve/kserve#5446)."""

_EXPANDED = re.compile(r"\$(?=[$(])")


def environment(declared: Environment, *, prefix: str, port: int, in_container: bool) -> dict[str, str | SecretRef]:
    """What the user declared over our defaults, and the version's URL path over both.

    `port` is the one that the endpoint declares. The process runtime sets the defaults of a container by itself.
    """
    defaults: Mapping[str, str] = {
        "PORT": str(port),
        "PYTHONUNBUFFERED": "1",
        "UVICORN_TIMEOUT_KEEP_ALIVE": str(KEEP_ALIVE),
    }
    return {**(defaults if in_container else {}), **declared, DEFAULT_PREFIX: prefix}


def variables(environment: Environment) -> list[dict[str, Any]]:
    """The container's `env` in the order of names; the API server drops an empty `value`."""
    return [_variable(name, value) for name, value in sorted(environment.items())]


def secrets(environment: Environment) -> tuple[SecretRef, ...]:
    """Each key of a Secret that the environment needs, once."""
    return tuple(sorted({value for value in environment.values() if isinstance(value, SecretRef)}))


def literal(text: str) -> str:
    """Text that reaches the process as it was written: a target takes `$(NAME)` for a reference and `$$` for an escaped `$`."""
    return _EXPANDED.sub("$$", text)


def _variable(name: str, value: str | SecretRef) -> dict[str, Any]:
    if isinstance(value, SecretRef):
        return {"name": name, "valueFrom": {"secretKeyRef": {"key": value.key, "name": value.secret}}}
    return {"name": name, "value": literal(value)} if value else {"name": name}

"""The environment that a Deployment says, with Secrets filled in, and references to it in its command."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from functools import partial

from controller.embedded.runtime.instance import NotStarted
from controller.embedded.runtime.specification import ReplicaSpec
from controller.model.objects import Object, at

SecretReader = Callable[[str], Object | None]
"""A Secret's object by its name, or None where there is none."""

_REFERENCE = re.compile(r"\$\$|\$\((\w[\w.-]*)\)")


class MissingSecret(Exception):
    """A Secret or one of its keys is not there; the text says which and how to make it."""


def variables(spec: ReplicaSpec, secrets: SecretReader) -> dict[str, str]:
    """The Deployment's `env`, Secrets filled in. Raises `MissingSecret`."""
    found: dict[str, str] = {}
    for item in spec.variables:
        reference = at(item, "valueFrom", "secretKeyRef")
        value = _secret(reference, secrets) if reference else expand(str(item.get("value", "")), found)
        if value is not None:
            found[str(item["name"])] = value
    return found


def declared_variables(spec: ReplicaSpec, secret: Callable[[str, str], Object | None]) -> dict[str, str]:
    """The same for an instance to start; `secret` reads (namespace, name). Raises `NotStarted`."""
    try:
        return variables(spec, partial(secret, spec.namespace))
    except MissingSecret as error:
        raise NotStarted("CreateContainerConfigError", str(error)) from error


def _secret(reference: Object, secrets: SecretReader) -> str | None:
    name, key = reference["name"], reference["key"]
    secret = secrets(name)
    data = at(secret, "data", key) if secret else None
    if data is not None:
        return base64.b64decode(data).decode(errors="surrogateescape")
    if reference.get("optional"):
        return None
    raise MissingSecret(f"secret '{name}' has no key '{key}'" if secret else f"secret '{name}' does not exist")


def expand(text: str, known: Mapping[str, str]) -> str:
    """Kubernetes' own `$(NAME)` and `$$` in `value`, `command` and `args`; an unknown name stays as it is."""

    def replace(match: re.Match[str]) -> str:
        return "$" if match[0] == "$$" else known.get(match[1], match[0])

    return _REFERENCE.sub(replace, text)

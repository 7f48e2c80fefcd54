"""An API server's refusals as our errors. Pure.

Its answers are `Status` objects (kubernetes.io, "API Conventions", section "Response Status Kind"). A 404 that is none comes
from something in between or from a missing definition, and never means that an object is not there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from controller.cluster.paths import INSTALL_HINTS, group, plural, resource
from controller.model.errors import Conflict, Forbidden, PointsmanError, Stalled, Unavailable

_LONGEST = 2000


@dataclass(frozen=True, slots=True)
class Attempt:
    """What was asked of which server, for messages. `what` is an object or a collection, `verb` is RBAC's."""

    verb: str
    kind: str
    what: str
    server: str

    def __str__(self) -> str:
        return f"{self.verb} {self.what}"


def status_of(body: bytes) -> Mapping[str, Any]:
    """The `Status` in an answer; empty where it is something else."""
    try:
        parsed = json.loads(body)
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) and parsed.get("kind") == "Status" else {}


def is_absent(status: Mapping[str, Any], name: str) -> bool:
    """Whether the server says of exactly this object that it is not there."""
    return status.get("reason") == "NotFound" and (status.get("details") or {}).get("name") == name


def may_pass(code: int, body: bytes) -> bool:
    """Whether the same request may succeed a little later. A body that does not fit the schema is a 500 too, and never does."""
    return code == 429 or (code >= 500 and not _is_malformed(status_of(body)))


def refusal(code: int, body: bytes, attempt: Attempt) -> PointsmanError:
    """The error for an answer of 300 or more."""
    status = status_of(body)
    message = str(status.get("message") or body[:200].decode(errors="replace"))[:_LONGEST].strip()
    if code in _READ_AGAIN or any(_is_outdated(cause) for cause in _causes(status)):
        return Conflict(f"{attempt.what}: {message}", hint="read it again")
    if may_pass(code, body):
        return Unavailable(f"{attempt.server} answered {code} to {attempt}: {message}")
    if (special := _SPECIAL.get(code)) is not None:
        return special(status, message, attempt)
    if code < 400:
        return Stalled(f"{attempt.server} answered {code} to {attempt}", hint="the server's address must not redirect")
    return Stalled(f"{attempt.server} refuses {attempt.what}: {message}{_fields(status, message)}")


def _is_malformed(status: Mapping[str, Any]) -> bool:
    return str(status.get("message", "")).startswith("failed to create typed patch object")


def _is_outdated(cause: Mapping[str, Any]) -> bool:
    """Whether what was known of an object or a list is not so; an apply that names another object's uid is a 422."""
    return cause.get("reason") == "ResourceVersionTooLarge" or cause.get("field") == "metadata.uid"


def _causes(status: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    return (status.get("details") or {}).get("causes") or ()


def _fields(status: Mapping[str, Any], message: str) -> str:
    """The fields that are wrong, where the message does not name them already."""
    fresh = [cause for cause in _causes(status) if cause.get("field") and cause["field"] not in message]
    return "".join(f"; {cause['field']}: {cause.get('message', '')}" for cause in fresh)


def _unauthorized(_status: Mapping[str, Any], _message: str, attempt: Attempt) -> PointsmanError:
    return Stalled(f"{attempt.server} does not accept the credentials ({attempt})", hint="log in again or renew the token")


def _forbidden(status: Mapping[str, Any], message: str, attempt: Attempt) -> PointsmanError:
    if any(cause.get("reason") == "NamespaceTerminating" for cause in _causes(status)):
        return Unavailable(f"{attempt.what}: {message}", hint="wait until the namespace is gone; it is then made again")
    if "denied the request" in message or "denied request" in message:  # a webhook or policy chose 403 for its own no
        return Stalled(f"an admission rule of the cluster refuses {attempt.what}: {message}")
    if "exceeded quota" in message:
        return Stalled(f"{attempt.what}: {message}", hint="raise the namespace's ResourceQuota")
    rule = f'apiGroups: ["{group(attempt.kind)}"], resources: ["{plural(attempt.kind)}"], verbs: ["{attempt.verb}"]'
    return Forbidden(f"may not {attempt}: {message}", hint=f"the role needs the rule {{{rule}}}")


def _not_found(status: Mapping[str, Any], message: str, attempt: Attempt) -> PointsmanError:
    details = status.get("details") or {}
    if details.get("kind") == "namespaces" and details.get("name"):
        return Stalled(f"{attempt.what}: {message}", hint=f"kubectl create namespace {details['name']}")
    if details.get("name"):
        return Conflict(f"{attempt.what} is not there any more")
    if status or message.startswith("404 page not found"):
        missing = f"{attempt.server} does not know {resource(attempt.kind)}, so it cannot {attempt}"
        return Stalled(missing, hint=INSTALL_HINTS.get(group(attempt.kind)) or "is this the address of an API server?")
    return Unavailable(f"something between here and {attempt.server} answered 404 to {attempt}: {message}")


_READ_AGAIN = (409, 410)
_SPECIAL = {401: _unauthorized, 403: _forbidden, 404: _not_found}

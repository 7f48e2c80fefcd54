"""What the server and its clients say to each other: one request line of JSON per connection, then answer lines.

An answer is `{"result": ...}` or `{"error": {...}}`; a watch sends `{"event": ...}` and, so that both sides notice when the
other is gone, `{}` while nothing happens, and ends with `{"result": null}`.
"""

from __future__ import annotations

import json
from typing import Any, BinaryIO

from controller.model.errors import Conflict, Forbidden, PointsmanError, Stalled, Transient, Unavailable, Waiting

# One object of the largest size, with room for escapes.
LARGEST_REQUEST = 4 * 1024 * 1024
# Seconds between two lines of a watch at most, and how long a client waits for one.
PAUSE = 1.0
SILENCE = 30.0

_ERRORS: dict[str, type[PointsmanError]] = {
    error.__name__: error for error in (Stalled, Forbidden, Transient, Conflict, Unavailable, PointsmanError)
}


def encode(message: Any) -> bytes:
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"


def receive(stream: BinaryIO, limit: int = -1) -> dict[str, Any] | None:
    """The next line, or None where the other side is gone. Raises `Stalled` for one that is too long or not JSON."""
    line = stream.readline(limit)
    if limit >= 0 and len(line) >= limit:
        raise Stalled(f"the request is larger than {limit} bytes")
    if not line.endswith(b"\n"):
        return None
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        raise Stalled("the other side does not speak this protocol") from None
    if not isinstance(message, dict):
        raise Stalled("the other side does not speak this protocol")
    return message


def describe(error: PointsmanError) -> dict[str, Any]:
    """An error as JSON."""
    after = {"after": error.after} if isinstance(error, Waiting) else {}
    return {"type": type(error).__name__, "message": error.message, "hint": error.hint, **after}


def restore(described: dict[str, Any]) -> PointsmanError:
    """The inverse of `describe`; an unknown type becomes `Unavailable`."""
    message, hint = str(described["message"]), described.get("hint")
    if described["type"] == "Waiting":
        return Waiting(message, after=float(described["after"]), hint=hint)
    return _ERRORS.get(described["type"], Unavailable)(message, hint=hint)

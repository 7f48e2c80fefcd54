"""What can go wrong, sorted by what has to happen next.

    PointsmanError            message for a person, optional hint with the next step
    ├── Stalled               a person must act; retrying is useless
    │   └── Forbidden         the caller may not do this
    ├── Waiting               nothing is wrong, it is only not time yet
    └── Transient             try again with backoff
        ├── Conflict          somebody wrote the object in between
        └── Unavailable       the other side does not answer

A mistake in a repository is not an exception but a `Diagnostic`.
"""

from __future__ import annotations


class PointsmanError(Exception):
    """Base of every error that a person may see; `hint` says what to do next."""

    reason = "Error"

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class Stalled(PointsmanError):
    """A person must act; the same attempt would fail again."""

    reason = "Stalled"


class Forbidden(Stalled):
    """The other side knows the caller and refuses."""

    reason = "Forbidden"


class Waiting(PointsmanError):
    """Not an error: come back after `after` seconds."""

    reason = "Waiting"

    def __init__(self, message: str, *, after: float, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.after = after


class Transient(PointsmanError):
    """Worth another try after a pause."""

    reason = "Transient"


class Conflict(Transient):
    """The object changed since it was read (resourceVersion or uid differ)."""

    reason = "Conflict"


class Unavailable(Transient):
    """The other side did not answer, or answered with a fault of its own."""

    reason = "Unavailable"

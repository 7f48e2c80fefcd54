"""Which lines of an endpoint's replicas a person wants."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LogWish:
    """The last `tail` lines of each replica, those of the last `since` seconds, those from before the last restart."""

    tail: int | None = None
    since: float | None = None
    previous: bool = False
    follow: bool = False

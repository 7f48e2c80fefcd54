"""PURE: what follows from a failed pass."""

from __future__ import annotations

import random

from controller.model.backoff import backoff as doubling
from controller.model.errors import Conflict, PointsmanError, Stalled, Waiting

FIRST, SOON, MOST = 1.0, 30.0, 300.0
"""Seconds after one failure, and at most after many: of the other side, of ours."""
REFUSED = 60.0
"""Seconds at most until a refusal is tried again: a person mends it, and nothing tells us."""
AT_ONCE = 0.05
"""The part of a usual pause that follows a lost race."""
RESYNC = 600.0
"""Seconds after which a unit is looked at although nothing asked for it."""


def pause_after(error: Exception, attempt: int, spread: random.Random) -> float:
    """Seconds until the next try: doubling with jitter up to five minutes. `attempt` counts from 1.

    A lost race is tried again at once; one that is lost again and again is no race (a watch that fell silent) and has time.
    """
    if isinstance(error, Waiting):
        return error.after
    if isinstance(error, Conflict):
        return backoff(attempt, SOON, spread) * AT_ONCE
    if isinstance(error, Stalled):
        return backoff(attempt, REFUSED, spread)
    return backoff(attempt, SOON if isinstance(error, PointsmanError) else MOST, spread)


def backoff(attempt: int, most: float, spread: random.Random) -> float:
    """Seconds that double with every attempt, which count from 1, up to about `most`."""
    return doubling(attempt, FIRST, most, spread)


def told(error: Exception) -> str:
    """An error for a person: with its hint, or with its type where it is a fault of ours."""
    if not isinstance(error, (PointsmanError, OSError)):
        return f"{type(error).__name__}: {error}"
    hint = getattr(error, "hint", None)
    return f"{error}\n  hint: {hint}" if hint else str(error)

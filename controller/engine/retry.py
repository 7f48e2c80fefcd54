"""PURE: what follows from a failed pass."""

from __future__ import annotations

import random

from controller.model.errors import Conflict, PointsmanError, Stalled, Waiting

FIRST, MOST = 1.0, 300.0
RESYNC = 600.0
"""Seconds after which a unit is looked at although nothing asked for it."""


def pause_after(error: Exception, attempt: int, spread: random.Random) -> float:
    """Seconds until the next try: doubling with jitter up to five minutes; a lost race is tried again at once.

    `attempt` counts from 1. What needs a person is looked at again only with the resync.
    """
    if isinstance(error, Waiting):
        return error.after
    if isinstance(error, Conflict):
        return min(0.05 * attempt, FIRST)
    if isinstance(error, Stalled):
        return RESYNC
    limit = 30.0 if isinstance(error, PointsmanError) else MOST
    return min(FIRST * 2.0 ** (attempt - 1), limit) * spread.uniform(0.75, 1.25)

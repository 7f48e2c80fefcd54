"""PURE: how long is paused between tries."""

from __future__ import annotations

import random

_MOST_DOUBLINGS = 20


def backoff(attempt: int, first: float, most: float, spread: random.Random) -> float:
    """Seconds before the next try: `first`, doubling up to `most`, each up to a quarter more or less, lest all come at once.

    `attempt` counts the tries that failed, from 1.
    """
    return min(first * 2.0 ** min(attempt - 1, _MOST_DOUBLINGS), most) * spread.uniform(0.75, 1.25)

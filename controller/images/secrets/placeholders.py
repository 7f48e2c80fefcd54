"""What stands in a secret's place in documentation and tests, and opens nothing."""

from __future__ import annotations

import math
from collections import Counter
from itertools import pairwise

_WORDS = (b"example", b"sample", b"placeholder", b"dummy", b"redacted", b"changeme", b"change_me", b"xxxx", b"your", b"fake")
_LEAST_ENTROPY = 3.0
"""Bits per character; 20 random characters of base64 have 4."""
_LONGEST_RUN = 6


def is_placeholder(secret: bytes) -> bool:
    """Whether a text in a secret's form is hardly one: it says so, is too regular, or counts up."""
    lower = secret.lower()
    return any(word in lower for word in _WORDS) or is_monotonous(secret) or _longest_run(secret) >= _LONGEST_RUN


def is_monotonous(secret: bytes) -> bool:
    """Whether a text repeats itself too much to have been drawn at random."""
    return _entropy(secret) < _LEAST_ENTROPY


def _entropy(secret: bytes) -> float:
    size = len(secret)
    return -sum(n / size * math.log2(n / size) for n in Counter(secret).values())


def _longest_run(secret: bytes) -> int:
    """The most characters in a row that are equal, or each one more than the last."""
    longest = equal = rising = 1
    for before, after in pairwise(secret):
        equal = equal + 1 if after == before else 1
        rising = rising + 1 if after == before + 1 else 1
        longest = max(longest, equal, rising)
    return longest

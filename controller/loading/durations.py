"""Durations as people write them: `90s`, `10m`, `24h`, `1h30m`, `30d`."""

from __future__ import annotations

import re

_DURATION = re.compile(r"(?:([0-9]+)d)?(?:([0-9]+)h)?(?:([0-9]+)m)?(?:([0-9]+)s)?", re.ASCII)


def seconds(text: str) -> float:
    """The duration in seconds. Raises ValueError for anything else; the schemas let nothing else through."""
    match = _DURATION.fullmatch(text)
    if not text or match is None:
        raise ValueError(f"not a duration: {text!r}")
    days, hours, minutes, rest = (int(part or 0) for part in match.groups())
    return float(days * 86400 + hours * 3600 + minutes * 60 + rest)

"""The names that versions get by themselves: `YYYYMMDD.N`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date


def next_version_name(today: date, taken: Iterable[str]) -> str:
    """The first free number of the day, above every one that was ever taken."""
    day = f"{today:%Y%m%d}"
    numbers = (re.fullmatch(rf"{day}\.(0|[1-9][0-9]{{0,8}})", name, re.ASCII) for name in taken)
    return f"{day}.{max((int(number[1]) + 1 for number in numbers if number), default=0)}"

"""Kubernetes' quantities, read exactly. Pure. (kubernetes.io, "Quantity": `<number><suffix>`, binary, decimal or exponent.)"""

from __future__ import annotations

import re
from decimal import Decimal

_FORM = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(?:([eE][+-]?\d+)|([numkMGTPE]|[KMGTPE]i)?)", re.ASCII)
_BINARY = {f"{letter}i": Decimal(1024) ** power for power, letter in enumerate("KMGTPE", start=1)}
_DECIMAL = {letter: Decimal(1000) ** power for power, letter in zip((-3, -2, -1, 1, 2, 3, 4, 5, 6), "numkMGTPE", strict=True)}
_SUFFIXES = {**_BINARY, **_DECIMAL}


def quantity(text: str | int | float) -> Decimal:
    """Cores, bytes or pieces. Raises ValueError for what is no quantity."""
    found = _FORM.fullmatch(str(text).strip())
    if found is None:
        raise ValueError(f"not a quantity: {str(text)[:40]!r}")
    number, exponent, suffix = found.groups()
    return Decimal(number + (exponent or "")) * _SUFFIXES.get(suffix or "", Decimal(1))

"""Kubernetes quantities in the form in which the API server prints them, so that a comparison finds them equal.

apimachinery's `resource.Quantity` keeps the largest suffix that leaves a whole number: 1000M reads back as 1G.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, Decimal

_SUFFIXES = ("m", "", "k", "M", "G", "T", "P", "E")

Number = int | float


def cpu(cores: Number) -> str:
    """Cores, as `500m` or `2`; the finest step is a thousandth (kubernetes.io, "CPU resource units")."""
    return _printed(_ceiling(Decimal(str(cores)) * 1000))


def megabytes(amount: Number) -> str:
    """Valohai's MB as decimal bytes: `512M`, `2G`."""
    return _printed(_ceiling(Decimal(str(amount)) * 1_000_000) * 1000)


def count(amount: Number) -> str:
    """Whole devices."""
    return _printed(_ceiling(Decimal(str(amount))) * 1000)


def amount(text: str) -> float:
    """What a quantity amounts to: cores, bytes, devices. Of what this module prints, so without binary suffixes."""
    suffix = text[-1] if text[-1] in _SUFFIXES else ""
    return float(Decimal(text.removesuffix(suffix)).scaleb(3 * (_SUFFIXES.index(suffix) - 1)))


def _ceiling(amount: Decimal) -> int:
    return int(amount.to_integral_value(rounding=ROUND_CEILING))


def _printed(thousandths: int) -> str:
    if thousandths == 0:
        return "0"
    step = 0
    while step < len(_SUFFIXES) - 1 and thousandths % 1000 == 0:
        thousandths, step = thousandths // 1000, step + 1
    return f"{thousandths}{_SUFFIXES[step]}"

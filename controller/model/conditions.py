"""Conditions and health: the two ways to say how a unit is."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Health(StrEnum):
    """Argo CD's words for the state of something that runs."""

    HEALTHY = "Healthy"
    PROGRESSING = "Progressing"
    DEGRADED = "Degraded"
    SUSPENDED = "Suspended"
    MISSING = "Missing"
    UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True)
class Assessment:
    """What one object's status says: health and, in its own words, why."""

    health: Health
    message: str = ""


@dataclass(frozen=True, slots=True)
class Condition:
    """`type` is Ready, Reconciling or Stalled; `status` True, False or Unknown; `reason` is stable CamelCase.

    Reconciling and Stalled exist only while true (kstatus). `since` is seconds since the epoch of the last change of status.
    """

    type: str
    status: str
    reason: str
    message: str
    since: float

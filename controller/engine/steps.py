"""The named moments between two durable effects, for whoever wants to look, or to die there."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum


class Step(StrEnum):
    """Killing the process at any of these and starting again must continue from what is there (tests/faults)."""

    SNAPSHOT_READ = "snapshot-read"
    BUILD_STARTED = "build-started"
    BUILD_FINISHED = "build-finished"
    PLANNED = "planned"
    RECORD_WRITTEN = "record-written"
    OBJECT_APPLIED = "object-applied"
    WORKLOAD_APPLIED = "workload-applied"
    VERSION_ROUTE_APPLIED = "version-route-applied"
    ALIAS_ROUTE_APPLIED = "alias-route-applied"
    OBJECT_DELETED = "object-deleted"
    CHANGES_APPLIED = "changes-applied"
    RECORD_CLOSED = "record-closed"
    GOLDEN_ANSWERED = "golden-answered"
    CONFIRM_ANSWERED = "confirm-answered"


Observer = Callable[[Step], None]


def unobserved(step: Step) -> None:
    """Nobody looks."""

"""Which replicas to start and which to stop: a decision over plain values. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Member:
    """A replica that is not being stopped. `blocked`: it cannot start while another one holds its port."""

    name: str
    created: float
    current: bool
    available: bool
    blocked: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """What to do now; more follows once these have happened."""

    start: int
    stop: tuple[str, ...]


def next_step(wanted: int, members: Sequence[Member], stopping: int, *, recreate: bool) -> Step:
    """New before old with one more than wanted at a time; `recreate` is old before new. Scaling down keeps the oldest."""
    current = sorted((m for m in members if m.current), key=lambda m: m.created)
    old = sorted((m for m in members if not m.current), key=lambda m: (m.available, m.created))
    surplus = [m.name for m in current[wanted:]]
    if recreate and (old or stopping):
        return Step(0, tuple(m.name for m in old) + tuple(surplus))
    missing = max(0, wanted - len(current))
    room = max(0, wanted + 1 - len(current) - len(old)) if old else missing
    return Step(min(missing, room), (*surplus, *_outdated(wanted, current, old)))


def _outdated(wanted: int, current: Sequence[Member], old: Sequence[Member]) -> tuple[str, ...]:
    """Old ones that may go: the unavailable, as many as new ones replace, and all where new ones wait for their port."""
    if wanted == 0 or any(m.blocked for m in current):
        return tuple(m.name for m in old)
    serving = sum(m.available for m in current)
    needed = max(0, wanted - serving)
    kept = [m for m in old if m.available][:needed]
    return tuple(m.name for m in old if m not in kept and (m.available or serving))

"""How far a version has come on its way to its aliases, in few words; and which waits last long enough to be explained."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum

from controller.model.changes import Gate, Plan
from controller.model.declared import DeclaredState
from controller.plan.grouping import grouped

PATIENCE = 5.0
"""Seconds of waiting that need no explanation."""
_AGAIN = 10.0
_FOR_A_PERSON = frozenset({"SecretMissing", "Suspended"})
"""Nothing happens by itself here, so it is told at once."""


class Phase(IntEnum):
    """In order. What follows the last one is the alias's move, which is told by itself."""

    BUILDING = 0
    STARTING = 1
    CHECKING = 2

    @property
    def words(self) -> str:
        return ("builds its images", "starts", "runs; is asked the golden requests")[self]


_PHASES = {
    "ImageMissing": Phase.BUILDING,
    "NotReady": Phase.STARTING,
    "MinReadySeconds": Phase.STARTING,
    "NoAddresses": Phase.STARTING,
    "VersionRoute": Phase.STARTING,
    "RouteNotAccepted": Phase.STARTING,
    "WaitingForCapacity": Phase.STARTING,
    "GoldenRequests": Phase.CHECKING,
}


def phases_of(plans: Iterable[Plan], declared: Iterable[DeclaredState]) -> dict[str, Phase]:
    """The phase of each version that an alias is to lead to; the farthest one where several aliases wait for it."""
    named = {f"{d.name}/{a.name}": a.version for s in declared for d in s.deployments.values() for a in d.aliases.values()}
    found: dict[str, Phase] = {}
    for plan in plans:
        for alias, phase in _alias_phases(plan).items():
            version = named.get(alias)
            if version:
                found[version] = max(phase, found.get(version, phase))
    return found


def _alias_phases(plan: Plan) -> dict[str, Phase]:
    """An alias has come as far as the last of its endpoints."""
    found: dict[str, Phase] = {}
    for gate in plan.gates:
        phase = _PHASES.get(gate.reason)
        if phase is not None and gate.subject.kind == "alias":
            found[gate.subject.name] = min(phase, found.get(gate.subject.name, phase))
    return found


@dataclass(slots=True)
class _Wait:
    since: float
    told: float | None = None
    message: str = ""


class SlowGates:
    """Gates in their own words, but only those that last, and not more often than a person can read."""

    def __init__(self) -> None:
        self._waits: dict[tuple[str, str, str], _Wait] = {}

    def lines(self, plans: Iterable[Plan], now: float) -> Iterator[str]:
        """What is worth a line at `now` (seconds of any steady clock)."""
        open_gates = {_topic(plan, gate): (plan, gate) for plan in plans for gate in _worth_telling(plan)}
        for gone in self._waits.keys() - open_gates.keys():
            del self._waits[gone]
        for topic, (plan, gate) in open_gates.items():
            wait = self._waits.setdefault(topic, _Wait(now))
            if _is_due(wait, gate, now):
                wait.told, wait.message = now, gate.message
                yield f"{plan.unit.deployment}: … {gate.message}"


def _worth_telling(plan: Plan) -> list[Gate]:
    """Without clocks, without builds that go on (their progress is shown), and what an alias waits for only once."""
    gates = [gate for gate in plan.gates if not gate.clock and not gate.message.endswith("is being built")]
    of_aliases = [gate.message for gate in gates if gate.subject.kind == "alias"]
    untold = [g for g in gates if g.subject.kind == "alias" or not any(m.endswith(g.message) for m in of_aliases)]
    return list(grouped(untold))


def _topic(plan: Plan, gate: Gate) -> tuple[str, str, str]:
    """What is told as one: builds share their cause, most often the network."""
    return ("", "", gate.reason) if gate.reason == "ImageMissing" else (str(plan.unit), str(gate.subject), gate.reason)


def _is_due(wait: _Wait, gate: Gate, now: float) -> bool:
    if wait.told is None:
        return gate.reason in _FOR_A_PERSON or now - wait.since >= PATIENCE
    return gate.message != wait.message and now - wait.told >= _AGAIN

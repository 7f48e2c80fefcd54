"""Gates for people: what shares its cause is said once, with everybody that it concerns."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace

from controller.model.changes import Gate

_MESSAGE = re.compile(
    r"(?:(?P<move>\S+ → (?P<version>\S+)) (?P<word>waits|failed): )?(?:(?P<name>[^\s:]+): )?(?P<cause>.*)", re.DOTALL
)


@dataclass(frozen=True, slots=True)
class _Said:
    """A gate's message in its parts; `where` is the version's endpoint that it is about, as far as it says so."""

    gate: Gate
    move: str
    word: str
    where: tuple[str, str]
    cause: str

    @property
    def group(self) -> tuple[str, bool, str, str]:
        return self.gate.reason, self.gate.clock, self.word, self.cause

    @property
    def name(self) -> str:
        return "/".join(filter(None, self.where))


def grouped(gates: Iterable[Gate]) -> tuple[Gate, ...]:
    """One gate per cause, in the order of the first of each. `until` is when the last of a group ends."""
    said = [_parted(gate) for gate in gates]
    covered = {(s.cause, s.where) for s in said if s.move}
    groups: dict[tuple[str, bool, str, str], list[_Said]] = defaultdict(list)
    for one in said:
        if one.move or (one.cause, one.where) not in covered:
            groups[one.group].append(one)
    return tuple(members[0].gate if _says_all(members) else _merged(members) for members in groups.values())


def _says_all(members: list[_Said]) -> bool:
    """Whether the only one names its move, or its version is not known."""
    first = members[0]
    return len(members) == 1 and bool(first.move or not first.where[0] or first.where[0] in first.gate.message)


def _parted(gate: Gate) -> _Said:
    text = gate.message.replace(f"{gate.subject.name} ", "", 1) if gate.subject.kind == "workload" else gate.message
    match = next(_MESSAGE.finditer(text))  # it fits every text, whole
    version = match["version"] or (gate.subject.name.partition("/")[0] if gate.subject.kind == "version" else "")
    return _Said(gate, match["move"] or "", match["word"] or "", (version, match["name"] or ""), match["cause"])


def _merged(members: list[_Said]) -> Gate:
    first = members[0]
    if first.move:
        verb = "wait" if first.word == "waits" and len({m.move for m in members}) > 1 else first.word
        names = dict.fromkeys(m.where[1] for m in members if m.where[1])
        lead = [f"{', '.join(dict.fromkeys(m.move for m in members))} {verb}", *([", ".join(names)] if names else [])]
    else:
        lead = [", ".join(dict.fromkeys(m.name for m in members))]
    untils = [m.gate.until for m in members if m.gate.until is not None]
    return replace(first.gate, message=": ".join([*filter(None, lead), first.cause]), until=max(untils, default=None))

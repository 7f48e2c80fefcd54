"""What git says of an alias, joined with what became of it on the target. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from controller.source.history import AliasChange

_OUTCOMES = {"confirmed": "serves", "given-up": "given up", "golden-failed": "golden request failed"}
Event = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that the target or the data plane said; `at` in seconds since the epoch."""

    at: float
    kind: str
    message: str
    revision: str = ""

    @property
    def text(self) -> str:
        """In a person's words."""
        return _OUTCOMES[self.kind] if self.kind == "confirmed" else f"{_OUTCOMES[self.kind]}: {self.message}"


@dataclass(frozen=True, slots=True)
class Chapter:
    """One change of an alias file, or, without `commit`, something that happened while git said nothing of it."""

    deployment: str
    alias: str
    at: float
    version: str | None
    commit: str | None = None
    author: str | None = None
    subject: str | None = None
    happenings: tuple[Happening, ...] = ()

    @property
    def confirmed_at(self) -> float | None:
        """When the data plane answered with the version for the first time."""
        return next((h.at for h in self.happenings if h.kind == "confirmed"), None)


def chapters(deployment: str, alias: str, changes: Sequence[AliasChange], events: Iterable[Event]) -> tuple[Chapter, ...]:
    """Newest first. A change owns what happened to the alias from its commit until the next one's."""
    told = sorted(_happenings(alias, events), key=lambda pair: pair[0].at)
    if not changes:
        return tuple(Chapter(deployment, alias, h.at, v, happenings=(h,)) for h, v in _once_each(told))[::-1]
    ends = [float("inf"), *(change.at for change in changes)]
    return tuple(
        Chapter(
            deployment,
            alias,
            change.at,
            change.version,
            change.commit,
            change.author,
            change.subject,
            tuple(_distinct(h for h, version in told if change.at <= h.at < end and version in (None, change.version))),
        )
        for change, end in zip(changes, ends, strict=False)
    )


def _happenings(alias: str, events: Iterable[Event]) -> Iterator[tuple[Happening, str | None]]:
    """What concerns the alias, with the version that it names (golden requests: of any alias that leads there)."""
    for event in events:
        kind, subject, message = str(event.get("event")), str(event.get("subject")), str(event.get("message", ""))
        at = event.get("at")
        if kind not in _OUTCOMES or not isinstance(at, (int, float)):
            continue
        happening = Happening(float(at), kind, message, str(event.get("revision", "")))
        if kind == "golden-failed":
            yield happening, subject.partition("/")[0]
        elif subject == alias:
            yield happening, message if kind == "confirmed" else None


def _once_each(told: Iterable[tuple[Happening, str | None]]) -> Iterator[tuple[Happening, str | None]]:
    """The first confirmation of each revision in a row: the alias's other endpoints follow with the same."""
    before = None
    for happening, version in told:
        if happening.kind == "confirmed" and (happening.revision, version) != before:
            before = (happening.revision, version)
            yield happening, version


def _distinct(happenings: Iterable[Happening]) -> Iterator[Happening]:
    """Every endpoint of an alias is confirmed by itself: one of the same kind and words in a row is enough."""
    every = [None, *happenings]
    for before, now in pairwise(every):
        if now and (before is None or (before.kind, before.message) != (now.kind, now.message)):
            yield now

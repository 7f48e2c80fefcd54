"""The newest publication of every source: who declares a unit, and on which targets it has something to do."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass, replace

from controller.engine.grants import Granted, granted_state, project_of_two, without_project
from controller.engine.placing import Placing
from controller.engine.sources import Publication
from controller.model.declared import DeclaredState
from controller.model.diagnostics import PROJECT
from controller.model.identity import UnitKey
from controller.model.record import UnitRecord


@dataclass(frozen=True, slots=True)
class _Claim:
    """A publication as its source's grants allow it, and what it became beside the others."""

    alone: Publication
    shown: Publication


class Publications:
    """Replaced as wholes, read by every target's passes. Safe for many threads.

    Of two sources that declare one project the first by name has it; the other's claim is held. A unit whose record
    names a source that was not read yet since the start belongs to nobody else meanwhile.
    """

    def __init__(self, sources: Iterable[Granted], placing: Placing) -> None:
        self.placing = placing
        self._granted = {granted.source: granted for granted in sources}
        self._lock = threading.Lock()
        self._claims: dict[str, _Claim] = {}

    def publish(self, publication: Publication) -> tuple[Publication | None, Publication]:
        """Take a new one in; the source's publication before and now, with what its grants and other sources leave of it."""
        granted = self._granted[publication.source]
        declared = granted_state(publication.declared, granted, self.placing, publication.snapshot.path)
        alone = publication if declared is publication.declared else replace(publication, declared=declared)
        name = publication.origin
        with self._lock:
            before = self._claims.get(name)
            self._claims[name] = _Claim(alone, alone)
            self._settle()
            return before.shown if before else None, self._claims[name].shown

    def all(self) -> tuple[Publication, ...]:
        with self._lock:
            return tuple(claim.shown for claim in self._claims.values())

    def of_unit(self, unit: UnitKey, recorded: str) -> Publication | None:
        """Who decides on a unit: the source that declares its project, or declared it when its record was written."""
        known = self.all()
        if recorded and recorded not in {p.origin for p in known} and self._is_awaited(recorded, known):
            return None
        owners = [p for p in known if _project(p.declared) == (unit.owner, unit.project)]
        whole = [p for p in owners if PROJECT not in p.declared.held]
        from_record = [p for p in known if p.origin == recorded]
        return next(iter((*whole, *from_record, *owners)), None)

    def declared_on(self, target: str) -> set[UnitKey]:
        """The units that are to be served on a target, and those whose mistakes are told there."""
        return {unit for publication in self.all() for unit in self._units(publication, target)}

    def target_of(self, unit: UnitKey, publication: Publication) -> str | None:
        """The target that a unit is declared for; None for one that is not declared."""
        deployment = publication.declared.deployments.get(unit.deployment)
        is_its_own = _project(publication.declared) == (unit.owner, unit.project)
        return self.placing.target_of(deployment) if deployment and is_its_own else None

    def _units(self, publication: Publication, target: str) -> Iterable[UnitKey]:
        declared = publication.declared
        names = {name for name, each in declared.deployments.items() if self.placing.target_of(each) == target}
        if target == self.placing.place_of_mistakes:
            names |= {subject.name for subject in declared.held if subject.kind == "deployment"}
        return (UnitKey(declared.owner, declared.project, name) for name in names if declared.owner)

    def _is_awaited(self, recorded: str, known: Iterable[Publication]) -> bool:
        """Whether a record's source is followed and was not read yet."""
        read = {publication.source for publication in known}
        return any(source not in read and recorded.partition("#")[0] == source.name for source in self._granted)

    def _settle(self) -> None:
        """Decide anew who has each project; a publication that nothing changes for stays the same object."""
        owners: dict[tuple[str, str], Publication] = {}
        for name in sorted(self._claims):
            claim = self._claims[name]
            project = _project(claim.alone.declared)
            if not project[0] or PROJECT in claim.alone.declared.held:
                continue
            first = owners.setdefault(project, claim.alone)
            if first is claim.alone:
                shown = claim.alone
            elif claim.shown is not claim.alone:
                continue
            else:
                shown = _second(claim.alone, first)
            self._claims[name] = replace(claim, shown=shown)


def recorded_units(records: Iterable[UnitRecord], publications: Iterable[Publication]) -> set[UnitKey]:
    """The units of these sources that have a record on a target."""
    origins = {publication.origin for publication in publications}
    return {record.unit for record in records if record.source in origins}


def _second(publication: Publication, first: Publication) -> Publication:
    declared, path = publication.declared, publication.snapshot.path
    diagnostic = project_of_two("/".join(_project(declared)), first.origin, publication.origin, path)
    return replace(publication, declared=without_project(declared, diagnostic))


def _project(declared: DeclaredState) -> tuple[str, str]:
    return declared.owner, declared.project

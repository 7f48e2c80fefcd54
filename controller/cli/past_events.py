"""What happened to units on their targets, as far as it is remembered: the data of `history`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping

from controller.cli.alias_past import Event
from controller.cli.context import Place
from controller.cli.output import note
from controller.cli.reach.choice import Kubernetes
from controller.cli.reach.opening import reach_cluster
from controller.cli.reach.options import Where
from controller.cli.records_of import recorded_units
from controller.model.errors import PointsmanError
from controller.model.identity import UnitKey
from controller.model.record import FactKind, UnitRecord
from controller.state.history import FileHistory

_EVENTS = 5000
"""So many events of a unit are looked through; an event is about 200 bytes."""
_TOLD = (FactKind.CONFIRMED, FactKind.GIVEN_UP, FactKind.GOLDEN_FAILED)
Past = Callable[[UnitKey], Iterable[Event]]


def embedded_past(place: Place) -> Past:
    """The embedded target's own history."""
    kept = FileHistory(place.state.history)
    return lambda unit: kept.read(str(unit), _EVENTS)


def recorded_past(clusters: Iterable[Kubernetes], where: Where) -> Mapping[UnitKey, tuple[Event, ...]]:
    """By unit what the records on Kubernetes targets remember. A target that cannot be read is told."""
    found: dict[UnitKey, list[Event]] = defaultdict(list)
    for choice in clusters:
        try:
            with reach_cluster(choice, where) as reached:
                for recorded in recorded_units(reached):
                    found[recorded.unit] += remembered(recorded.record)
        except PointsmanError as error:
            note(f"warning: target {choice.name}: {error.message}")
    return {unit: tuple(events) for unit, events in found.items()}


def remembered(record: UnitRecord) -> Iterator[Event]:
    """PURE: a record's facts as events. Of what was confirmed, the last ten versions of each alias are kept."""
    for fact in record.facts:
        if fact.kind in _TOLD:
            message = fact.detail or fact.input
            said = {"at": fact.at, "revision": fact.revision, "event": fact.kind.value}
            yield {**said, "subject": fact.subject, "message": message}

"""Unit records on a target, read and written with compare-and-swap."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from controller.model import labels
from controller.model.errors import Conflict
from controller.model.identity import ObjectKey, UnitKey
from controller.model.objects import Object
from controller.model.ports import ClusterClient
from controller.model.record import UnitRecord
from controller.state.record_format import from_config_map, to_config_map

_TRIES = 5


class Records:
    """Every write names the version that it read; whoever comes second gets Conflict and looks again.

    `written` is told every object that was stored, for a cache ahead of its watch.
    """

    def __init__(self, client: ClusterClient, written: Callable[[Object], None] | None = None) -> None:
        self._client = client
        self._written = written

    def read(self, unit: UnitKey) -> UnitRecord:
        """The unit's record, whatever namespace it lies in, or an empty one without `resource_version` where there is none."""
        found = self._client.get(ObjectKey("ConfigMap", unit.namespace, unit.record_name))
        if found is None:  # a target may keep all its projects in one namespace
            named = {labels.UNIT: unit.hash, labels.RECORD: "unit"}
            found = next(iter(self._client.list("ConfigMap", labels=named).items), None)
        return from_config_map(found) if found else UnitRecord(unit)

    def all(self) -> tuple[UnitRecord, ...]:
        """Every unit that has a record on this target."""
        listing = self._client.list("ConfigMap", labels={labels.RECORD: "unit"})
        return tuple(from_config_map(obj) for obj in listing.items)

    def write(self, record: UnitRecord) -> UnitRecord:
        """Store and return it with its new version. Raises Conflict if somebody else wrote in between."""
        stored = self._client.apply(to_config_map(record))
        if self._written:
            self._written(stored)
        return replace(record, resource_version=stored["metadata"]["resourceVersion"])

    def change(self, unit: UnitKey, edit: Callable[[UnitRecord], UnitRecord]) -> UnitRecord:
        """Read, edit, write; again when somebody else was faster. For commands; the engine ends its pass instead."""
        for _ in range(_TRIES - 1):
            try:
                return self.write(edit(self.read(unit)))
            except Conflict:
                continue
        return self.write(edit(self.read(unit)))

    def delete(self, record: UnitRecord) -> None:
        """Remove the record of a unit that has nothing left on the target."""
        self._client.delete(record.key, resource_version=record.resource_version)

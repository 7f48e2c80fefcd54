"""Units as the target knows them, for commands that must work without git."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from controller.cli.output import note
from controller.cli.reach.opening import Reached
from controller.loading.schema_problems import did_you_mean
from controller.model import labels
from controller.model.errors import Stalled
from controller.model.identity import UnitKey
from controller.model.objects import Object, annotation
from controller.model.record import UnitRecord
from controller.state.record_format import from_config_map
from controller.state.records import Records


@dataclass(frozen=True, slots=True)
class Recorded:
    """A unit that has a record on the target (with its `uid`), and the namespace in which everything of it lies."""

    unit: UnitKey
    namespace: str
    uid: str
    record: UnitRecord


def recorded_units(reached: Reached) -> tuple[Recorded, ...]:
    """Every unit with a record that this command is about; a record that cannot be read is told, and hides no other."""
    found = reached.client.list("ConfigMap", labels={labels.RECORD: "unit"}).items
    return tuple(sorted(filter(lambda r: reached.concerns(r.unit), _readable(found)), key=lambda r: r.unit))


def units_of(reached: Reached, deployment: str | None) -> tuple[Recorded, ...]:
    """All units, or those of a deployment, by its name or as `owner/project/deployment`. Raises Stalled for an unknown one."""
    units = recorded_units(reached)
    found = tuple(r for r in units if deployment in (None, r.unit.deployment, str(r.unit)))
    if deployment is not None and not found:
        known = [r.unit.deployment for r in units]
        raise Stalled(f"there is no deployment `{deployment}` here", hint=did_you_mean(deployment, known) or "pointsman status")
    return found


def unit_of(reached: Reached, deployment: str) -> Recorded:
    """The one unit of a deployment. Raises Stalled where several projects of a cluster have it."""
    found = units_of(reached, deployment)
    if len(found) > 1:
        names = [str(recorded.unit) for recorded in found]
        raise Stalled(f"{len(found)} projects have a deployment `{deployment}`", hint=f"name one: {', '.join(names)}")
    return found[0]


def unit_with_alias(reached: Reached, alias: str, deployment: str | None) -> Recorded:
    """The one unit that serves an alias. Raises Stalled when none does, or several do and none was named."""
    serving = {recorded.unit: (recorded, _aliases(reached, recorded)) for recorded in units_of(reached, deployment)}
    having = [recorded for recorded, aliases in serving.values() if alias in aliases]
    if not having:
        known = {name for _, aliases in serving.values() for name in aliases}
        raise Stalled(f"no deployment serves an alias `{alias}`", hint=did_you_mean(alias, known) or "pointsman status")
    if len(having) > 1:
        names = _distinct([recorded.unit for recorded in having])
        raise Stalled(f"{len(having)} deployments serve `{alias}`: {', '.join(names)}", hint=f"name one: -d {names[0]}")
    return having[0]


def workloads_of(reached: Reached, recorded: Recorded) -> tuple[Object, ...]:
    """The Deployments of a unit."""
    own = {labels.UNIT: recorded.unit.hash}
    return reached.client.list("Deployment", namespace=recorded.namespace, labels=own).items


def change_record(reached: Reached, recorded: Recorded, edit: Callable[[UnitRecord], UnitRecord]) -> None:
    """Edit a unit's record by compare-and-swap; the controller sees the write and looks at the unit."""
    Records(reached.client).change(recorded.unit, edit)


def _distinct(units: list[UnitKey]) -> list[str]:
    """Short names where they say enough."""
    short = [unit.deployment for unit in units]
    return short if len(set(short)) == len(units) else [str(unit) for unit in units]


def _aliases(reached: Reached, recorded: Recorded) -> frozenset[str]:
    own = {labels.UNIT: recorded.unit.hash}
    routes = reached.client.list("HTTPRoute", namespace=recorded.namespace, labels=own).items
    return frozenset(filter(None, (annotation(route, labels.ALIAS) for route in routes)))


def _readable(items: Iterable[Object]) -> Iterator[Recorded]:
    for obj in items:
        try:
            record = from_config_map(obj)
        except Stalled as error:
            note(f"warning: {error.message}")
            continue
        meta = obj["metadata"]
        yield Recorded(record.unit, meta["namespace"], meta.get("uid", ""), record)

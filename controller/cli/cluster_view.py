"""Look at Kubernetes targets once: records, and what runs, with the rights that the caller has."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

from controller.cli.chosen import NOTHING_NAMED, Chosen
from controller.cli.gateway_url import gateway_url
from controller.cli.here import Here
from controller.cli.overviews import chosen_units
from controller.cli.reach.opening import Reached
from controller.cli.records_of import Recorded, recorded_units
from controller.cli.status_document import Overview
from controller.cli.unit_status import UnitStatus, unit_status
from controller.cli.workload_status import Seen
from controller.model import labels
from controller.model.declared import DeclaredState
from controller.model.errors import Forbidden, PointsmanError
from controller.model.identity import ObjectKey
from controller.model.objects import Object, key_of, label
from controller.model.observed import ObservedState

_KINDS = ("Deployment", "HTTPRoute", "Pod")
_OURS = {labels.MANAGED_BY: labels.FIELD_MANAGER}


@dataclass(frozen=True, slots=True)
class Sight:
    """What one target showed; `notes` say what the caller may not read of it."""

    units: tuple[UnitStatus, ...] = ()
    url: str = ""
    notes: tuple[str, ...] = ()
    error: str | None = None


def look_at_clusters(targets: Iterable[Reached], here: Here) -> Overview:
    """How everything is on these targets. One that cannot be read is told, and delays or hides no other."""
    reached = tuple(targets)
    with ThreadPoolExecutor(max_workers=len(reached)) as pool:
        declared, said = _declared(here)
        sights = tuple(pool.map(partial(_sight, declared=declared), reached))
    return Overview(
        source=here.source,
        revision=str(declared.revision) if declared else None,
        pid=None,
        url=" ".join(filter(None, (sight.url for sight in sights))),
        errors=tuple(f"target {r.name}: {s.error}" for r, s in zip(reached, sights, strict=True) if s.error),
        diagnostics=(),
        units=tuple(unit for sight in sights for unit in sight.units),
        notes=tuple(dict.fromkeys([*said, *(note for sight in sights for note in sight.notes)])),
        targets=tuple(r.name for r in reached),
    )


def only_chosen(found: Overview, chosen: Chosen, awaited: Chosen = NOTHING_NAMED) -> Overview:
    """What is asked for of it. Raises Stalled where that is nowhere, unless no target could be read or it is awaited."""
    if found.errors and not found.units:
        return found
    return replace(found, units=chosen_units(found.units, chosen, awaited))


def _declared(here: Here) -> tuple[DeclaredState | None, tuple[str, ...]]:
    """What git says here, or a note why that is not known: the targets are shown all the same."""
    try:
        return here.declared(), ()
    except PointsmanError as error:
        return None, (f"git is not compared: {error.message}",)


def _sight(reached: Reached, declared: DeclaredState | None) -> Sight:
    try:
        return _read(reached, declared)
    except PointsmanError as error:
        return Sight(error=f"{error.message}{f' ({error.hint})' if error.hint else ''}")


def _read(reached: Reached, declared: DeclaredState | None) -> Sight:
    recorded = recorded_units(reached)
    notes: list[str] = []
    objects = [obj for kind in _KINDS for obj in _allowed(reached, kind, notes)]
    url = gateway_url(reached.client, (obj for obj in objects if obj["kind"] == "HTTPRoute"))
    by_unit: dict[str, list[Object]] = defaultdict(list)
    for obj in objects:
        by_unit[label(obj, labels.UNIT) or ""].append(obj)
    now = time.time()
    units = (_status(one, by_unit[one.unit.hash], declared, url, now) for one in recorded)
    return Sight(tuple(replace(unit, target=reached.name) for unit in units), url, tuple(notes))


def _allowed(reached: Reached, kind: str, notes: list[str]) -> tuple[Object, ...]:
    """All of a kind; none, with a note, where the caller may not list it."""
    try:
        return reached.client.list(kind, labels=_OURS).items
    except Forbidden as error:
        notes.append(f"{reached.name}: no {kind} is shown: {error.message}")
        return ()


def _status(recorded: Recorded, objects: Iterable[Object], declared: DeclaredState | None, url: str, now: float) -> UnitStatus:
    unit = recorded.unit
    seen = Seen(unit, recorded.record, _observed(objects), url, now)
    is_here = declared is not None and (declared.owner, declared.project) == (unit.owner, unit.project)
    return unit_status(seen, declared if is_here else None, None, running=True)


def _observed(objects: Iterable[Object]) -> ObservedState:
    found: Mapping[ObjectKey, Object] = {key_of(obj): obj for obj in objects}
    pods: dict[str, list[Object]] = defaultdict(list)
    for key, obj in sorted(found.items()):
        if key.kind == "Pod":
            pods[label(obj, labels.WORKLOAD) or ""].append(obj)
    return ObservedState(
        objects={key: obj for key, obj in found.items() if key.kind != "Pod"},
        pods={workload: tuple(items) for workload, items in pods.items()},
    )

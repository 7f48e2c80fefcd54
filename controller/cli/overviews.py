"""Look at everything once: the source, the target, and the controller between them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from controller.cli.chosen import Chosen
from controller.cli.context import Place, cluster_client
from controller.cli.observation import Observation, observe_target
from controller.cli.outlook import Looker, Outlook
from controller.cli.profile import embedded_profile
from controller.cli.status_document import Overview
from controller.cli.unit_status import UnitStatus, only_alias, unit_status
from controller.cli.workload_status import Seen
from controller.embedded.remote import RemoteStore
from controller.loading.schema_problems import did_you_mean
from controller.model.errors import PointsmanError, Stalled
from controller.model.identity import UnitKey


def look(place: Place, looker: Looker, chosen: Chosen, *, patient: bool = False) -> Overview:
    """How everything chosen is now. Raises Stalled for a deployment or alias that is nowhere to be found."""
    owner = place.state.owner
    answer = _controller_health(place) if owner else {}
    url = str(answer.get("url") or embedded_profile(place.state).url)
    with cluster_client(place) as client:
        seen = observe_target(client)
        outlook = looker.look(client, seen)
    running = owner is not None
    units = tuple(_status(unit, seen, outlook, url, running=running, patient=patient) for unit in _units(seen, outlook))
    own_errors = (str(error) for error in answer.get("errors", ()))
    found = Overview(
        source=str(place.source),
        revision=str(outlook.declared.revision) if outlook.declared else None,
        pid=owner.pid if owner else None,
        url=url,
        errors=tuple(dict.fromkeys([*own_errors, *([outlook.error] if outlook.error else [])])),
        diagnostics=outlook.diagnostics,
        units=units,
    )
    return replace(found, units=_chosen(units, chosen))


def _controller_health(place: Place) -> Mapping[str, Any]:
    """The running controller's own word; nothing from one that is only just starting or ending."""
    try:
        answer: Mapping[str, Any] = RemoteStore.at(place.state.socket).call("health")
    except PointsmanError:
        return {}
    return answer


def _units(seen: Observation, outlook: Outlook) -> list[UnitKey]:
    return sorted({*outlook.units, *(record.unit for record in seen.records)})


def _status(unit: UnitKey, seen: Observation, outlook: Outlook, url: str, *, running: bool, patient: bool) -> UnitStatus:
    one = Seen(unit, seen.record(unit), seen.of(unit), url, time.time())
    return unit_status(one, outlook.declared, outlook.units.get(unit), running=running, patient=patient)


def _chosen(units: tuple[UnitStatus, ...], chosen: Chosen) -> tuple[UnitStatus, ...]:
    if chosen.deployment is None:
        return units
    found = tuple(status for status in units if status.unit.deployment == chosen.deployment)
    if not found:
        known = [status.unit.deployment for status in units]
        hint = did_you_mean(chosen.deployment, known)
        raise Stalled(f"there is no deployment `{chosen.deployment}` here", hint=hint)
    if chosen.alias is None:
        return found
    names = [alias.name for status in found for alias in status.aliases]
    if chosen.alias not in names:
        hint = did_you_mean(chosen.alias, names)
        raise Stalled(f"deployment `{chosen.deployment}` has no alias `{chosen.alias}`", hint=hint)
    return tuple(only_alias(status, chosen.alias) for status in found)

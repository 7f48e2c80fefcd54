"""Look at everything once: the source, the target, and the controller between them."""

from __future__ import annotations

import time
from dataclasses import replace

from controller.cli.chosen import NOTHING_NAMED, Chosen
from controller.cli.context import Place, cluster_client
from controller.cli.controller_word import controller_word
from controller.cli.outlook import Looker
from controller.cli.status_document import Overview
from controller.cli.unit_status import UnitStatus, only_alias, unit_status
from controller.cli.workload_status import Seen
from controller.engine.cache import TargetCache
from controller.engine.observe import cached_record, cached_records, observe
from controller.loading.schema_problems import did_you_mean
from controller.model.errors import Stalled


def look(place: Place, looker: Looker, chosen: Chosen) -> Overview:
    """How everything chosen is now. Raises Stalled for a deployment or alias that is nowhere to be found."""
    owner, word = place.state.owner, controller_word(place)
    with cluster_client(place) as client:
        cache = TargetCache.listed(client)
        outlook = looker.look(client, cache, word)
        seen = [
            Seen(unit, cached_record(cache, unit), observe(cache, unit), word.url, time.time())
            for unit in sorted({*outlook.units, *(record.unit for record in cached_records(cache))})
        ]
    units = tuple(unit_status(s, outlook.declared, outlook.units.get(s.unit), running=owner is not None) for s in seen)
    found = Overview(
        source=str(place.source),
        revision=str(outlook.declared.revision) if outlook.declared else None,
        pid=owner.pid if owner else None,
        url=word.url,
        errors=tuple(dict.fromkeys([*word.errors, *([outlook.error] if outlook.error else [])])),
        diagnostics=outlook.diagnostics,
        units=units,
    )
    return replace(found, units=chosen_units(units, chosen))


def chosen_units(units: tuple[UnitStatus, ...], chosen: Chosen, awaited: Chosen = NOTHING_NAMED) -> tuple[UnitStatus, ...]:
    """Those that are asked for. Raises Stalled for a deployment or alias that none of them has and `awaited` does not name."""
    if chosen.deployment is None:
        return units
    found = tuple(status for status in units if status.unit.deployment == chosen.deployment)
    if not found and awaited.deployment is None:
        known = [status.unit.deployment for status in units]
        hint = did_you_mean(chosen.deployment, known)
        raise Stalled(f"there is no deployment `{chosen.deployment}` here", hint=hint)
    if chosen.alias is None:
        return found
    names = [alias.name for status in found for alias in status.aliases]
    if chosen.alias not in names and awaited.alias is None:
        hint = did_you_mean(chosen.alias, names)
        raise Stalled(f"deployment `{chosen.deployment}` has no alias `{chosen.alias}`", hint=hint)
    return tuple(only_alias(status, chosen.alias) for status in found)

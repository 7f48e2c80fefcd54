"""Units as the target knows them, for commands that must work without git."""

from __future__ import annotations

from controller.loading.schema_problems import did_you_mean
from controller.model import labels
from controller.model.errors import Stalled
from controller.model.identity import UnitKey
from controller.model.objects import annotation
from controller.model.ports import ClusterClient
from controller.state.records import Records


def units_of(client: ClusterClient, deployment: str | None) -> tuple[UnitKey, ...]:
    """The units with a record: all, or the one of a deployment. Raises Stalled for a name that none has."""
    units = tuple(record.unit for record in Records(client).all())
    found = tuple(unit for unit in units if deployment in (None, unit.deployment))
    if deployment is not None and not found:
        known = [unit.deployment for unit in units]
        raise Stalled(f"there is no deployment `{deployment}` here", hint=did_you_mean(deployment, known) or "pointsman status")
    return found


def unit_with_alias(client: ClusterClient, alias: str, deployment: str | None) -> UnitKey:
    """The one unit that serves an alias. Raises Stalled when none does, or several do and none was named."""
    serving = {unit: _aliases(client, unit) for unit in units_of(client, deployment)}
    having = [unit for unit, aliases in serving.items() if alias in aliases]
    if not having:
        known = {name for aliases in serving.values() for name in aliases}
        raise Stalled(f"no deployment serves an alias `{alias}`", hint=did_you_mean(alias, known) or "pointsman status")
    if len(having) > 1:
        names = ", ".join(unit.deployment for unit in having)
        raise Stalled(f"{len(having)} deployments serve `{alias}`: {names}", hint=f"name one: -d {having[0].deployment}")
    return having[0]


def _aliases(client: ClusterClient, unit: UnitKey) -> frozenset[str]:
    routes = client.list("HTTPRoute", namespace=unit.namespace, labels={labels.UNIT: unit.hash}).items
    return frozenset(filter(None, (annotation(route, labels.ALIAS) for route in routes)))

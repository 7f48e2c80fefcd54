"""`pointsman reconcile`: a person asks for another try."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from controller.cli.context import Place
from controller.cli.output import hint, note
from controller.cli.reach.opening import Reached, reach
from controller.cli.reach.options import Where, where_options
from controller.cli.records_of import Recorded, change_record, units_of
from controller.cli.selection import complete_deployments
from controller.embedded.remote import RemoteStore
from controller.model import labels
from controller.plan.memory import forgiven


@click.command()
@click.argument("deployment", required=False, shell_complete=complete_deployments)
@where_options
def reconcile(deployment: str | None, where: Where) -> None:
    r"""Forget what was given up or failed, and try again: all deployments, or one.

    A running controller starts at once, builds included. Without one it is noted for the next start.

    \b
    Examples:
      pointsman reconcile
      pointsman reconcile americas
    """
    with reach(where) as reached:
        found = units_of(reached, deployment)
        if reached.place is None:
            units = [_request(reached, each) for each in found]
            words = "is tried again by its controller"
        elif reached.is_run:
            units = _ask(reached.place, deployment)
            words = "is tried again"
        else:
            units = [_forgive(reached, each) for each in found]
            words = "will be tried again by the next pointsman up"
    for unit in units:
        click.echo(f"{unit} {words}")
    if not units:
        note("nothing is served here yet")
        hint("pointsman status")


def _ask(place: Place, deployment: str | None) -> list[str]:
    """The running embedded controller, through its socket: it may be building, which no record knows."""
    answer = RemoteStore.at(place.state.socket).call("reconcile", {"deployment": deployment} if deployment else {})
    return [str(unit) for unit in answer["units"]]


def _forgive(reached: Reached, found: Recorded) -> str:
    """Strike what failed from the record, by compare-and-swap."""
    change_record(reached, found, forgiven)
    return str(found.unit)


def _request(reached: Reached, found: Recorded) -> str:
    """Leave word on the record too: a controller watches it, also where nothing was to be struck."""
    change_record(reached, found, forgiven)
    stamp = {labels.REQUESTED: datetime.now(UTC).isoformat(timespec="milliseconds")}
    where = {"name": found.unit.record_name, "namespace": found.namespace, "uid": found.uid}
    word = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {**where, "annotations": stamp}}
    reached.client.apply(word, manager=labels.RECONCILE_MANAGER)
    return str(found.unit)

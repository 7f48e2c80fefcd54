"""`pointsman reconcile`: a person asks for another try."""

from __future__ import annotations

from pathlib import Path

import click

from controller.cli.context import Place, cluster_client, find_place, state_option
from controller.cli.output import hint, note
from controller.cli.selection import complete_deployments
from controller.embedded.remote import RemoteStore
from controller.loading.schema_problems import did_you_mean
from controller.model.errors import Stalled
from controller.model.identity import UnitKey
from controller.plan.memory import forgiven
from controller.state.records import Records


@click.command()
@click.argument("deployment", required=False, shell_complete=complete_deployments)
@state_option
def reconcile(deployment: str | None, state: Path | None) -> None:
    r"""Forget what was given up or failed, and try again: all deployments, or one.

    A running controller starts at once, builds included. Without one it is noted for the next start.

    \b
    Examples:
      pointsman reconcile
      pointsman reconcile americas
    """
    place = find_place(None, state)
    if place.state.owner is not None:
        units = _ask(place, deployment)
        words = "is tried again"
    else:
        units = _forgive(place, deployment)
        words = "will be tried again by the next pointsman up"
    for unit in units:
        click.echo(f"{unit} {words}")
    if not units:
        note("nothing is served here yet")
        hint("pointsman status")


def _ask(place: Place, deployment: str | None) -> list[str]:
    remote = RemoteStore.at(place.state.socket)
    if deployment is not None:
        _require(deployment, [record.unit for record in Records(remote).all()])
    answer = remote.call("reconcile", {"deployment": deployment} if deployment else {})
    return [str(unit) for unit in answer["units"]]


def _forgive(place: Place, deployment: str | None) -> list[str]:
    """Strike the facts from the records, by compare-and-swap."""
    with cluster_client(place) as client:
        records = Records(client)
        units = [record.unit for record in records.all()]
        if deployment is not None:
            _require(deployment, units)
        asked = [unit for unit in units if deployment in (None, unit.deployment)]
        for unit in asked:
            records.change(unit, forgiven)
    return [str(unit) for unit in asked]


def _require(deployment: str, units: list[UnitKey]) -> None:
    known = [unit.deployment for unit in units]
    if deployment not in known:
        raise Stalled(f"there is no deployment `{deployment}` here", hint=did_you_mean(deployment, known) or "pointsman status")

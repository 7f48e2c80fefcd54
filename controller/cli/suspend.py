"""`pointsman suspend` and `resume`: leave a deployment as it is, whatever git says, and go on."""

from __future__ import annotations

import time
from pathlib import Path

import click

from controller.cli.context import cluster_client, find_place, state_option
from controller.cli.records_of import units_of
from controller.cli.selection import complete_deployments
from controller.model.record import Fact, FactKind, UnitRecord
from controller.state.records import Records

_UNIT = "unit"


@click.command()
@click.argument("deployment", shell_complete=complete_deployments)
@click.option("-m", "--message", default="", help="Why, for whoever looks at the status.")
@state_option
def suspend(deployment: str, message: str, state: Path | None) -> None:
    r"""Change nothing of a deployment until `resume`: what runs keeps running.

    Commits wait until then.

    \b
    Examples:
      pointsman suspend americas -m "load test until noon"
    """
    words = f"suspended{': ' + message if message else ''} (pointsman resume {deployment} continues)"
    with cluster_client(find_place(None, state)) as client:
        for unit in units_of(client, deployment):
            Records(client).change(unit, lambda record: suspended(record, words, time.time()))
            click.echo(f"{unit} is suspended")


@click.command()
@click.argument("deployment", shell_complete=complete_deployments)
@state_option
def resume(deployment: str, state: Path | None) -> None:
    r"""Let a suspended deployment follow git again.

    \b
    Examples:
      pointsman resume americas
    """
    with cluster_client(find_place(None, state)) as client:
        for unit in units_of(client, deployment):
            Records(client).change(unit, resumed)
            click.echo(f"{unit} follows git again")


def suspended(record: UnitRecord, words: str, now: float) -> UnitRecord:
    """The record with the one fact that stops every plan of its unit."""
    return record.with_facts([Fact(FactKind.SUSPENDED, _UNIT, "", record.attempted, now, words)])


def resumed(record: UnitRecord) -> UnitRecord:
    """The record without it."""
    return record.with_facts((), [fact for fact in record.facts if fact.kind is FactKind.SUSPENDED])

"""`pointsman suspend` and `resume`: leave a deployment as it is, whatever git says, and go on."""

from __future__ import annotations

import time

import click

from controller.cli.reach.opening import reach
from controller.cli.reach.options import Where, where_options
from controller.cli.records_of import change_record, unit_of
from controller.cli.selection import complete_deployments
from controller.model.record import Fact, FactKind, UnitRecord

_UNIT = "unit"


@click.command()
@click.argument("deployment", shell_complete=complete_deployments)
@click.option("-m", "--message", default="", help="Why, for whoever looks at the status.")
@where_options
def suspend(deployment: str, message: str, where: Where) -> None:
    r"""Change nothing of a deployment until `resume`: what runs keeps running.

    Commits wait until then.

    \b
    Examples:
      pointsman suspend americas -m "load test until noon"
    """
    words = f"suspended{': ' + message if message else ''} (pointsman resume {deployment} continues)"
    with reach(where) as reached:
        found = unit_of(reached, deployment)
        change_record(reached, found, lambda record: suspended(record, words, time.time()))
    click.echo(f"{found.unit} is suspended")


@click.command()
@click.argument("deployment", shell_complete=complete_deployments)
@where_options
def resume(deployment: str, where: Where) -> None:
    r"""Let a suspended deployment follow git again.

    \b
    Examples:
      pointsman resume americas
    """
    with reach(where) as reached:
        found = unit_of(reached, deployment)
        change_record(reached, found, resumed)
    click.echo(f"{found.unit} follows git again")


def suspended(record: UnitRecord, words: str, now: float) -> UnitRecord:
    """The record with the one fact that stops every plan of its unit."""
    return record.with_facts([Fact(FactKind.SUSPENDED, _UNIT, "", record.attempted, now, words)])


def resumed(record: UnitRecord) -> UnitRecord:
    """The record without it."""
    return record.with_facts((), [fact for fact in record.facts if fact.kind is FactKind.SUSPENDED])

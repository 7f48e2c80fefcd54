"""`pointsman pin` and `unpin`: lead an alias to a version without git, when git cannot be asked."""

from __future__ import annotations

import time

import click

from controller.cli.chosen import alias_of, complete_alias_targets
from controller.cli.reach.opening import Reached, reach
from controller.cli.reach.options import Where, where_options
from controller.cli.records_of import Recorded, change_record, unit_with_alias, workloads_of
from controller.cli.selection import complete_versions, deployment_option
from controller.loading.schema_problems import did_you_mean
from controller.model import labels
from controller.model.errors import Stalled
from controller.model.objects import annotation
from controller.model.record import Fact, FactKind, UnitRecord


@click.command()
@click.argument("alias", metavar="[D/]ALIAS", shell_complete=complete_alias_targets)
@click.argument("version", shell_complete=complete_versions)
@deployment_option
@where_options
def pin(alias: str, version: str, deployment: str | None, where: Where) -> None:
    r"""Lead an alias to a version that runs on the target, whatever git says. It ends by `unpin`, or by a commit that moves it.

    Writes a fact to the unit's record; git is neither read nor written. The switch has the same gates as any other.

    \b
    Examples:
      pointsman pin production 20181002.0
      pointsman pin americas/production 20181002.0
    """
    alias, deployment = alias_of(alias, deployment)
    with reach(where) as reached:
        found = unit_with_alias(reached, alias, deployment)
        _require(reached, found, version)
        change_record(reached, found, lambda record: pinned(record, alias, version, time.time()))
    click.echo(f"{found.unit.deployment}: {alias} is pinned to {version}")


@click.command()
@click.argument("alias", metavar="[D/]ALIAS", shell_complete=complete_alias_targets)
@deployment_option
@where_options
def unpin(alias: str, deployment: str | None, where: Where) -> None:
    r"""Let an alias follow git again.

    \b
    Examples:
      pointsman unpin production
    """
    alias, deployment = alias_of(alias, deployment)
    with reach(where) as reached:
        found = unit_with_alias(reached, alias, deployment)
        if found.record.fact(FactKind.PINNED, alias) is None:
            raise Stalled(f"{found.unit.deployment}: {alias} is not pinned")
        change_record(reached, found, lambda record: unpinned(record, alias))
    click.echo(f"{found.unit.deployment}: {alias} follows git again")


def pinned(record: UnitRecord, alias: str, version: str, now: float) -> UnitRecord:
    """The record with this pin as the alias's only one."""
    fact = Fact(FactKind.PINNED, alias, version, record.attempted, now)
    return unpinned(record, alias).with_facts([fact])


def unpinned(record: UnitRecord, alias: str) -> UnitRecord:
    """The record without a pin of this alias."""
    return record.with_facts((), [f for f in record.facts if f.kind is FactKind.PINNED and f.subject == alias])


def _require(reached: Reached, found: Recorded, version: str) -> None:
    """Only what runs can be pinned to: git may be away, so nothing could be built."""
    known = {annotation(obj, labels.VERSION) or "" for obj in workloads_of(reached, found)}
    if version not in known:
        hint = did_you_mean(version, known) or f"running: {', '.join(sorted(known))}"
        raise Stalled(f"{found.unit.deployment}: version {version} does not run on the target", hint=hint)

"""`pointsman pin` and `unpin`: lead an alias to a version without git, when git cannot be asked."""

from __future__ import annotations

import time
from pathlib import Path

import click

from controller.cli.context import cluster_client, find_place, state_option
from controller.cli.records_of import unit_with_alias
from controller.cli.selection import complete_aliases, complete_versions, deployment_option
from controller.loading.schema_problems import did_you_mean
from controller.model import labels
from controller.model.errors import Stalled
from controller.model.identity import UnitKey
from controller.model.objects import annotation
from controller.model.ports import ClusterClient
from controller.model.record import Fact, FactKind, UnitRecord
from controller.state.records import Records


@click.command()
@click.argument("alias", shell_complete=complete_aliases)
@click.argument("version", shell_complete=complete_versions)
@deployment_option
@state_option
def pin(alias: str, version: str, deployment: str | None, state: Path | None) -> None:
    r"""Lead an alias to a version that runs on the target, whatever git says. It ends by `unpin`, or by a commit that moves it.

    Writes a fact to the unit's record; git is neither read nor written. The switch has the same gates as any other.

    \b
    Examples:
      pointsman pin production 20181002.0
      pointsman pin production 20181002.0 -d americas
    """
    with cluster_client(find_place(None, state)) as client:
        unit = unit_with_alias(client, alias, deployment)
        _require(client, unit, version)
        Records(client).change(unit, lambda record: pinned(record, alias, version, time.time()))
    click.echo(f"{unit.deployment}: {alias} is pinned to {version}")


@click.command()
@click.argument("alias", shell_complete=complete_aliases)
@deployment_option
@state_option
def unpin(alias: str, deployment: str | None, state: Path | None) -> None:
    r"""Let an alias follow git again.

    \b
    Examples:
      pointsman unpin production
    """
    with cluster_client(find_place(None, state)) as client:
        unit = unit_with_alias(client, alias, deployment)
        if Records(client).read(unit).fact(FactKind.PINNED, alias) is None:
            raise Stalled(f"{unit.deployment}: {alias} is not pinned")
        Records(client).change(unit, lambda record: unpinned(record, alias))
    click.echo(f"{unit.deployment}: {alias} follows git again")


def pinned(record: UnitRecord, alias: str, version: str, now: float) -> UnitRecord:
    """The record with this pin as the alias's only one."""
    fact = Fact(FactKind.PINNED, alias, version, record.attempted, now)
    return unpinned(record, alias).with_facts([fact])


def unpinned(record: UnitRecord, alias: str) -> UnitRecord:
    """The record without a pin of this alias."""
    return record.with_facts((), [f for f in record.facts if f.kind is FactKind.PINNED and f.subject == alias])


def _require(client: ClusterClient, unit: UnitKey, version: str) -> None:
    """Only what runs can be pinned to: git may be away, so nothing could be built."""
    items = client.list("Deployment", namespace=unit.namespace, labels={labels.UNIT: unit.hash}).items
    known = {annotation(obj, labels.VERSION) or "" for obj in items}
    if version not in known:
        hint = did_you_mean(version, known) or f"running: {', '.join(sorted(known))}"
        raise Stalled(f"{unit.deployment}: version {version} does not run on the target", hint=hint)

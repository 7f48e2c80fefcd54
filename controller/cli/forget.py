"""`pointsman forget`: remove a deployment from a target that no controller looks after any more."""

from __future__ import annotations

import time

import click

from controller.cli.asking import confirm, yes_options
from controller.cli.inventory import Removal, removal_of
from controller.cli.output import note
from controller.cli.reach.opening import Reached, reach
from controller.cli.reach.options import Where, where_options
from controller.cli.records_of import Recorded, change_record, unit_of
from controller.cli.selection import complete_deployments
from controller.cli.suspend import suspended
from controller.model.errors import Stalled
from controller.model.identity import ObjectKey

_WORDS = "is being removed by pointsman forget (the same command goes on; pointsman resume keeps what is left)"


@click.command()
@click.argument("deployment", shell_complete=complete_deployments)
@click.option("--orphan", is_flag=True, help="Only forget it: everything goes on running, and nobody looks after it.")
@yes_options
@where_options
def forget(*, deployment: str, orphan: bool, yes: bool, dry_run: bool, where: Where) -> None:
    r"""Remove a deployment from a target where nobody looks after it any more.

    For a target that left the controller's configuration. The inventory of the deployment's record says what goes; only
    objects that say themselves that they are this deployment's are removed, routes first; the namespace stays. A
    deployment that git still declares for this target comes back with the controller's next look: remove it there instead.

    \b
    Examples:
      pointsman forget americas --context admin@old-cluster --dry-run
      pointsman forget americas --context admin@old-cluster
      pointsman forget americas --context admin@old-cluster --orphan
    """
    with reach(where) as reached:
        found = unit_of(reached, deployment)
        removal = Removal((), {}) if orphan else removal_of(reached, found)
        _show(found, removal, orphan=orphan)
        if dry_run:
            return
        confirm(_question(reached, found, removal, orphan=orphan), yes=yes)
        if not orphan:
            change_record(reached, found, lambda record: suspended(record, _WORDS, time.time()))
            _remove(reached, found, removal)
        reached.client.delete(_record_key(found), uid=found.uid or None)
    click.echo(f"{found.unit} is forgotten")
    if kept := (*removal.kept, *(found.record.inventory if orphan else ())):
        note(f"{len(kept)} objects stay in namespace {found.namespace}")


def _show(found: Recorded, removal: Removal, *, orphan: bool) -> None:
    for key, _ in removal.objects:
        click.echo(f"- {key}")
    for key, reason in removal.kept.items():
        click.echo(f"  {key} stays: {reason}")
    for key in sorted(found.record.inventory) if orphan else ():
        click.echo(f"  {key} stays")
    click.echo(f"- {_record_key(found)} (the record)")


def _question(reached: Reached, found: Recorded, removal: Removal, *, orphan: bool) -> str:
    if orphan:
        return f"Forget {found.unit} on target {reached.name}, and leave all that runs to itself?"
    return f"Remove these {len(removal.objects)} objects of {found.unit} from target {reached.name}? It stops serving."


def _remove(reached: Reached, found: Recorded, removal: Removal) -> None:
    """The record goes only after everything else, so that the command may be given again. Raises Stalled for what is left."""
    for key, obj in removal.objects:
        meta = obj["metadata"]
        reached.client.delete(key, uid=meta.get("uid"))
        note(f"{key} is removed")
    if removal.unread:
        words = f"{found.unit}: {len(removal.unread)} objects could not be read, so its record stays"
        raise Stalled(words, hint="ask for the ClusterRole pointsman-caretaker, or give --orphan")


def _record_key(found: Recorded) -> ObjectKey:
    return ObjectKey("ConfigMap", found.namespace, found.unit.record_name)

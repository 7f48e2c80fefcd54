"""`pointsman restart`: replace the replicas of what runs, new before old, with nothing else changed."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from controller.cli.reach.opening import Reached, reach
from controller.cli.reach.options import Where, where_options
from controller.cli.records_of import unit_of, workloads_of
from controller.cli.selection import complete_deployments
from controller.loading.schema_problems import did_you_mean
from controller.model import labels
from controller.model.errors import Stalled
from controller.model.objects import Object, annotation


@click.command()
@click.argument("deployment", shell_complete=complete_deployments)
@click.option("--version", metavar="V", help="Only this version; default: all that run.")
@click.option("--endpoint", metavar="E", help="Only this endpoint; default: all.")
@where_options
def restart(deployment: str, version: str | None, endpoint: str | None, where: Where) -> None:
    r"""Replace the replicas of a deployment, new before old. A changed Secret takes effect only so.

    \b
    Examples:
      pointsman restart americas
      pointsman restart americas --version 20181003.0 --endpoint predict-digit
    """
    with reach(where) as reached:
        for obj in _chosen(reached, deployment, version, endpoint):
            reached.client.apply(_marked(obj, datetime.now(UTC)), manager=labels.RESTART_MANAGER)
            click.echo(f"{annotation(obj, labels.VERSION)}/{annotation(obj, labels.ENDPOINT)} is restarted")


def _chosen(reached: Reached, deployment: str, version: str | None, endpoint: str | None) -> tuple[Object, ...]:
    """The workloads that are meant. Raises Stalled when none is, naming what runs."""
    items = workloads_of(reached, unit_of(reached, deployment))
    for name, wanted in ((labels.VERSION, version), (labels.ENDPOINT, endpoint)):
        known = sorted({annotation(obj, name) or "" for obj in items})
        items = tuple(obj for obj in items if wanted in (None, annotation(obj, name)))
        if not items:
            raise Stalled(f"{deployment}: no {wanted or 'workload'} runs", hint=did_you_mean(wanted or "", known))
    return items


def _marked(obj: Object, now: datetime) -> Object:
    """A template that differs in one annotation, applied by a manager of its own: the next pass leaves it alone."""
    meta = obj["metadata"]
    stamp = {labels.RESTARTED: now.isoformat(timespec="milliseconds")}
    return {
        "apiVersion": obj["apiVersion"],
        "kind": obj["kind"],
        "metadata": {"name": meta["name"], "namespace": meta["namespace"]},
        "spec": {"template": {"metadata": {"annotations": stamp}}},
    }

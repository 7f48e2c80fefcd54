"""`pointsman show`: what a deployment's files come to, with the place of every value."""

from __future__ import annotations

from pathlib import Path

import click

from controller.cli.context import state_option
from controller.cli.output import output_option, print_rows
from controller.cli.selection import complete_deployments, complete_versions
from controller.cli.tree import read_tree
from controller.loading.explain import explain
from controller.loading.schema_problems import did_you_mean
from controller.model.errors import Stalled


@click.command()
@click.argument("deployment", shell_complete=complete_deployments)
@click.argument("version", required=False, shell_complete=complete_versions)
@output_option
@state_option
def show(deployment: str, version: str | None, output: str, state: Path | None) -> None:
    r"""Print the merged settings of a deployment or version, with file:line of each value.

    Defaults, deployment and version are merged as the controller does it; `(default)` is what no file says.

    \b
    Examples:
      pointsman show americas
      pointsman show americas 20181003.0
      pointsman show americas -o json | jq '.[] | select(.key | endswith(".timeout"))'
    """
    tree = read_tree(state=state, uncommitted=True)
    tree.require_deployment(deployment)
    if version is not None:
        served = [v.name for v in tree.reading.versions_of(deployment)]
        if version not in served:
            raise Stalled(f"deployment `{deployment}` runs no version `{version}`", hint=did_you_mean(version, served))
        tree.require_version(version)
    values = explain(tree.snapshot, deployment, version)
    if not values:
        raise Stalled(f"the files of deployment `{deployment}` cannot be read", hint="pointsman validate")
    rows = [{"key": value.path, "value": value.value, "from": str(value.location)} for value in values]
    print_rows(rows, output, columns=("key", "value", "from"), name="key")

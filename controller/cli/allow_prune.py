"""`pointsman allow-prune`: release what is held because it would remove something, by a commit that says so."""

from __future__ import annotations

from pathlib import Path

import click

from controller.cli.committing import commit_nothing, tell_commit
from controller.cli.context import state_option
from controller.cli.selection import complete_deployments
from controller.cli.tree import DeclaredTree, read_tree
from controller.loading.schema_problems import did_you_mean
from controller.model.errors import Stalled

TRAILER = "Pointsman-Allow-Prune"


@click.command(name="allow-prune")
@click.argument("deployment", shell_complete=complete_deployments)
@click.option("-m", "--message", metavar="WHY", help="Why, for whoever reads the log.")
@click.option("--branch", metavar="NAME", help="Commit on a new branch of this name: for a branch that only merges may change.")
@state_option
def allow_prune(deployment: str, message: str | None, branch: str | None, state: Path | None) -> None:
    r"""Allow the removals that DEPLOYMENT's held changes ask for, by an empty commit.

    It releases what commits up to now have removed, nothing that a later commit removes.

    \b
    Examples:
      pointsman allow-prune americas
      pointsman allow-prune americas -m "the region moves to us-west"
    """
    tree = read_tree(state=state)
    _require_known(tree, deployment)
    title = message or f"Allow removals from {deployment}"
    commit = commit_nothing(tree.root, f"{title}\n\n{TRAILER}: {deployment}", branch)
    click.echo(commit)
    tell_commit(tree.root, commit, branch, f"pointsman status {deployment} --wait")


def _require_known(tree: DeclaredTree, deployment: str) -> None:
    """Also a deployment whose files are gone already: that is what removals are about."""
    prefix = f"{tree.directory}/deployments/"
    ever = {path.removeprefix(prefix).split("/")[0] for path in tree.snapshot.changed if path.startswith(prefix)}
    if deployment not in ever:
        raise Stalled(f"git knows no deployment `{deployment}`", hint=did_you_mean(deployment, ever))

"""`pointsman promote`: lead an alias to another version, by a commit."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from controller.cli.beginnings import NAME_HINT, declared_name
from controller.cli.committing import FileEdit, commit_options, read_edit, tell_commit, write_and_commit
from controller.cli.context import state_option
from controller.cli.editing import quoted, with_value
from controller.cli.modeline import modeline_like
from controller.cli.output import note
from controller.cli.selection import complete_aliases, complete_versions, deployment_option, having_alias
from controller.cli.tree import DeclaredTree, read_tree
from controller.loading.schema_problems import did_you_mean
from controller.model.errors import Stalled


@click.command()
@click.argument("alias", shell_complete=complete_aliases)
@click.argument("version", required=False, shell_complete=complete_versions)
@deployment_option
@click.option("--all", "every", is_flag=True, help="In every deployment that has this alias, in one commit.")
@click.option("--from", "origin", metavar="ALIAS", shell_complete=complete_aliases, help="Take the version of this alias.")
@click.option("--create", is_flag=True, help="Make the alias in the deployment that -d names.")
@commit_options
@state_option
def promote(
    *,
    alias: str,
    version: str | None,
    deployment: str | None,
    every: bool,
    origin: str | None,
    create: bool,
    no_commit: bool,
    branch: str | None,
    state: Path | None,
) -> None:
    r"""Lead ALIAS to VERSION: edit the alias's file and commit it. The controller does the rest.

    \b
    Examples:
      pointsman promote production 20181003.0
      pointsman promote production --from staging -d americas
      pointsman promote production 20181003.0 --all --branch release-20181003
      pointsman promote canary-test 20181003.0 -d americas --create
    """
    if (version is None) == (origin is None):
        raise click.UsageError("name a VERSION, or an alias to take it from: --from ALIAS")
    if create and deployment is None:
        raise click.UsageError("--create needs the deployment: -d D")
    if every and deployment is not None:
        raise click.UsageError("--all and -d exclude each other")
    tree = read_tree(state=state)
    new = create and alias not in {a for d, a in tree.reading.layout.aliases if d == tree.require_deployment(deployment or "")}
    chosen = (str(deployment),) if new else having_alias(tree, alias, deployment, every=every)
    wanted = {name: version or _version_of(tree, name, str(origin)) for name in chosen}
    move(tree, alias, wanted, "Promote", no_commit=no_commit, branch=branch)


def move(tree: DeclaredTree, alias: str, wanted: dict[str, str], verb: str, *, no_commit: bool, branch: str | None) -> None:
    """Lead an alias to a version per deployment, in one commit; what is there already is only told."""
    for deployment, version in wanted.items():
        tree.require_release(version, deployment)
    moves = {d: version for d, version in wanted.items() if _current(tree, d, alias) != version}
    for deployment in wanted.keys() - moves.keys():
        note(f"{deployment}/{alias} leads to {wanted[deployment]} already")
    if not moves:
        return
    edits = [_edit(tree, deployment, alias, version) for deployment, version in moves.items()]
    commit = write_and_commit(tree.root, edits, _message(verb, alias, moves), no_commit=no_commit, branch=branch)
    for deployment, version in moves.items():
        click.echo(f"{deployment}/{alias}: {_current(tree, deployment, alias) or '(new)'} → {version}")
    only = f" {next(iter(moves))}/{alias}" if len(moves) == 1 else ""
    tell_commit(tree.root, commit, branch, f"pointsman status{only} --wait")


def _edit(tree: DeclaredTree, deployment: str, alias: str, version: str) -> FileEdit:
    path = tree.alias_file(deployment, alias)
    if path in tree.snapshot.files:
        return read_edit(tree.root, path, lambda data: with_value(data, ("version",), version, file=path))
    if declared_name(alias) != alias:
        raise Stalled(f"`{alias}` cannot be the name of an alias", hint=NAME_HINT)
    if alias in tree.reading.versions:
        raise Stalled(f"`{alias}` is the name of a version, and both are a part of the URL", hint="choose another name")
    head = modeline_like([data for file, data in tree.snapshot.files.items() if "/aliases/" in file])
    return FileEdit(path, None, f"{head}version: {quoted(version)}\n".encode())


def _current(tree: DeclaredTree, deployment: str, alias: str) -> str | None:
    found = tree.alias(deployment, alias)
    return found.version if found else None


def _version_of(tree: DeclaredTree, deployment: str, alias: str) -> str:
    version = _current(tree, deployment, alias)
    if version is None:
        known: Sequence[str] = [name for d, name in tree.reading.layout.aliases if d == deployment]
        raise Stalled(f"deployment `{deployment}` has no alias `{alias}`", hint=did_you_mean(alias, known))
    return version


def _message(verb: str, alias: str, moves: dict[str, str]) -> str:
    versions = sorted(set(moves.values()))
    where = " and ".join(sorted(moves)) if len(moves) < 3 else f"{len(moves)} deployments"
    title = f"{verb} {alias} of {where} to {versions[0] if len(versions) == 1 else 'new versions'}"
    if len(moves) == 1:
        return title
    return "\n".join([title, "", *(f"{deployment}: {version}" for deployment, version in sorted(moves.items()))])

"""`pointsman version`: make, retire and list versions; alone, the program's own."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import click

from controller import __version__
from controller.cli.committing import commit_options, read_edit, tell_commit, write_and_commit
from controller.cli.context import find_place, state_option
from controller.cli.editing import with_value
from controller.cli.finality import follows_branch, may_change
from controller.cli.output import note, output_option, print_rows
from controller.cli.selection import complete_versions
from controller.cli.tree import DeclaredTree, read_tree, tree_at
from controller.cli.version_create import Wish, create_version
from controller.loading.reading import DeclaredVersion
from controller.loading.schema_problems import did_you_mean
from controller.model.errors import Stalled


@click.group(invoke_without_command=True)
@click.pass_context
def version(context: click.Context) -> None:
    r"""Make, retire and list versions. Without a command: the version of pointsman itself.

    \b
    Examples:
      pointsman version create
      pointsman version create --file predict-digit/model=models/mnist.npz
      pointsman version retire 20181002.0
      pointsman version list
    """
    if context.invoked_subcommand is None:
        click.echo(f"pointsman {__version__}")


@version.command()
@click.argument("name", required=False)
@click.option(
    "--from", "origin", metavar="V", shell_complete=complete_versions, help="Copy this version: its commit, its text."
)
@click.option("--commit", metavar="HASH", help="The code's commit. Default: the commit that adds the file, or V's with --from.")
@click.option("--file", "files", multiple=True, metavar="E/F=PATH|URL", help="Bytes of endpoint E's file F.")
@click.option("--deployments", multiple=True, metavar="D,...", help="Only for these deployments. Default: for all.")
@click.option("--endpoints", multiple=True, metavar="E,...", help="Only these endpoints. Default: all of valohai.yaml.")
@commit_options
@state_option
def create(
    *,
    name: str | None,
    origin: str | None,
    commit: str | None,
    files: tuple[str, ...],
    deployments: tuple[str, ...],
    endpoints: tuple[str, ...],
    no_commit: bool,
    branch: str | None,
    state: Path | None,
) -> None:
    r"""Make a version of the code as it is committed, and commit its file. NAME is by default the next free YYYYMMDD.N.

    A file's PATH lies in the code; a URL is read once to compute its sha256 (or end it with #sha256=DIGEST).

    \b
    Examples:
      pointsman version create
      pointsman version create --from 20181002.0 --file predict-digit/model=https://bucket.example.com/mnist.npz
      pointsman version create v2 --deployments europe,americas --endpoints predict-digit
    """
    wish = Wish(name, origin, commit, files, _split(deployments), _split(endpoints))
    create_version(find_place(None, state), wish, date.today(), no_commit=no_commit, branch=branch)


@version.command()
@click.argument("name", shell_complete=complete_versions)
@commit_options
@state_option
def retire(name: str, no_commit: bool, branch: str | None, state: Path | None) -> None:
    r"""Stop a version that no alias names: set `enabled: false` in its file and commit it.

    \b
    Examples:
      pointsman version retire 20181002.0
    """
    tree = read_tree(state=state)
    found = tree.reading.versions.get(name)
    if found is None:
        raise Stalled(f"there is no version `{name}`", hint=did_you_mean(name, tree.reading.versions))
    if not found.enabled:
        note(f"version {name} is retired already")
        return
    _require_unnamed(tree, name)
    edit = read_edit(tree.root, found.file, lambda data: with_value(data, ("enabled",), False, file=found.file))
    commit = write_and_commit(tree.root, [edit], f"Retire version {name}", no_commit=no_commit, branch=branch)
    click.echo(f"version {name}: not enabled")
    tell_commit(tree.root, commit, branch, "pointsman status --wait")


@version.command("list")
@output_option
@state_option
def list_versions(output: str, state: Path | None) -> None:
    r"""List the versions with their commits and the aliases that name them.

    \b
    Examples:
      pointsman version list
      pointsman version list -o wide
    """
    place = find_place(None, state)
    tree, followed = tree_at(place), follows_branch(place)
    rows = [_row(tree, found, followed=followed) for _, found in sorted(tree.reading.versions.items(), reverse=True)]
    print_rows(rows, output, columns=("name", "commit", "state", "aliases"), wide=("deployments", "file"))


def _row(tree: DeclaredTree, found: DeclaredVersion, *, followed: bool) -> dict[str, object]:
    source = tree.snapshot.versions.get(found.name)
    commit = source.commit if source and source.committed else ""
    changes = source is not None and may_change(source.provisional, committed=source.committed, followed=followed)
    held = bool(tree.mistakes_of(found.name))
    return {
        "name": found.name,
        "commit": f"{commit[:10]}{' (provisional)' if commit and changes else ''}",
        "state": "held" if held else "enabled" if found.enabled else "retired",
        "aliases": ", ".join(f"{deployment}/{name}" for deployment, name in _aliases_of(tree, found.name)),
        "deployments": "all" if found.deployments is None else ", ".join(sorted(found.deployments)),
        "file": found.file,
    }


def _aliases_of(tree: DeclaredTree, name: str) -> list[tuple[str, str]]:
    return [(deployment, alias.name) for deployment, alias in tree.reading.all_aliases() if alias.version == name]


def _require_unnamed(tree: DeclaredTree, name: str) -> None:
    places = [str(alias.location) for _, alias in tree.reading.all_aliases() if alias.version == name]
    if places:
        deployment, alias_name = _aliases_of(tree, name)[0]
        listed = "".join(f"\n  {place}" for place in places)
        hint = f"pointsman promote {alias_name} VERSION -d {deployment}"
        raise Stalled(f"version `{name}` is what an alias leads to:{listed}", hint=hint)


def _split(values: tuple[str, ...]) -> tuple[str, ...]:
    """`--x a,b --x c` as (a, b, c)."""
    return tuple(part.strip() for value in values for part in value.split(",") if part.strip())

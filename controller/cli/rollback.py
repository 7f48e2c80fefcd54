"""`pointsman rollback`: lead an alias back to what it served before, by a commit."""

from __future__ import annotations

import click

from controller.cli.committing import commit_options
from controller.cli.context import find_place
from controller.cli.output import note
from controller.cli.promote import move
from controller.cli.reach.opening import reach
from controller.cli.reach.options import Where, where_options
from controller.cli.records_of import recorded_units
from controller.cli.selection import complete_aliases, complete_versions, deployment_option, having_alias
from controller.cli.setting_changes import last_setting_change
from controller.cli.stack import rollback_target, stack_of
from controller.cli.tree import DeclaredTree, tree_at
from controller.loading.nodes import find, text_of
from controller.model.errors import PointsmanError, Stalled
from controller.model.identity import UnitKey
from controller.model.record import FactKind
from controller.source.history import AliasChange, alias_history


@click.command()
@click.argument("alias", shell_complete=complete_aliases)
@deployment_option
@click.option("--to", metavar="VERSION", shell_complete=complete_versions, help="This version, whatever the history says.")
@commit_options
@where_options
def rollback(*, alias: str, deployment: str | None, to: str | None, no_commit: bool, branch: str | None, where: Where) -> None:
    r"""Lead ALIAS back to the version before: edit the alias's file and commit it.

    The version before is the nearest one below the present one, in the history of the alias's file, that is known to
    have served. Done again, it goes further back. If a setting changed last, it moves nothing and names that commit.

    \b
    Examples:
      pointsman rollback production
      pointsman rollback production -d americas --to 20181002.0
      pointsman rollback production --branch undo-20181003
    """
    tree = tree_at(find_place(None, where.state))
    chosen = having_alias(tree, alias, deployment)[0]
    target = to or _version_before(where, tree, chosen, alias)
    move(tree, alias, {chosen: target}, "Roll back", no_commit=no_commit, branch=branch)


def _version_before(where: Where, tree: DeclaredTree, deployment: str, alias: str) -> str:
    history = alias_history(tree.git(), tree.alias_file(deployment, alias))
    if not history:
        hint = f"git add {tree.alias_file(deployment, alias)}; git commit"
        raise Stalled(f"alias `{alias}` of {deployment} is not committed, so it has no history", hint=hint)
    stack = stack_of(change.version for change in reversed(history) if change.version)
    if stack:
        _refuse_after_setting(tree, deployment, stack[-1], history[0])
    if len(stack) < 2:
        message = f"there is no version before the present one in the history of `{alias}` of {deployment}"
        raise Stalled(message, hint=f"pointsman promote {alias} VERSION -d {deployment}")
    usable = frozenset(name for name in stack if _is_usable(tree, name, deployment))
    confirmed = _confirmed(where, tree, deployment, alias)
    target = rollback_target(stack, usable, confirmed)
    if target is None:
        raise _nowhere(alias, deployment, stack, usable)
    return target


def _refuse_after_setting(tree: DeclaredTree, deployment: str, version: str, last: AliasChange) -> None:
    change = last_setting_change(tree, deployment, version, last.commit)
    if change is not None:
        text = f"what {deployment} serves was last changed by a setting, not by the alias; nothing was moved"
        where = f"{change.location}: {change.key}, in commit {change.commit[:10]} ({change.subject})"
        raise Stalled(f"{text}\n  {where}", hint=f"{change.revert}, or name a version: --to VERSION")


def _is_usable(tree: DeclaredTree, version: str, deployment: str) -> bool:
    try:
        tree.require_release(version, deployment)
    except Stalled:
        return False
    return True


def _confirmed(where: Where, tree: DeclaredTree, deployment: str, alias: str) -> frozenset[str] | None:
    """The versions that are known to have served under this alias; None, with a warning, where nobody can tell."""
    project = tree.reading.project
    unit = UnitKey(text_of(find(project, "owner")) or "", text_of(find(project, "name")) or "", deployment)
    try:
        with reach(where) as reached:
            record = next((each.record for each in recorded_units(reached) if each.unit == unit), None)
    except PointsmanError as error:
        note(f"warning: not checked that the version before ever served: {error.message}")
        return None
    if record is None:
        note(f"warning: not checked that the version before ever served: {unit} has no record on the target")
        return None
    return frozenset(f.detail for f in record.facts if f.kind is FactKind.CONFIRMED and f.subject == alias)


def _nowhere(alias: str, deployment: str, stack: tuple[str, ...], usable: frozenset[str]) -> Stalled:
    below = list(reversed(stack[:-1]))
    gone = [name for name in below if name not in usable]
    detail = f"; gone, retired or held: {', '.join(gone)}" if gone else ""
    message = f"no version before `{stack[-1]}` is known to have served as `{alias}` of {deployment}{detail}"
    left = [name for name in below if name in usable]
    hint = f"pointsman rollback {alias} -d {deployment} --to {left[0]}" if left else f"pointsman promote {alias} VERSION"
    return Stalled(message, hint=hint)

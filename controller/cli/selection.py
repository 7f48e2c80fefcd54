"""Which deployments a command is about, and the names that a shell may complete."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from controller.cli.context import DECLARED, find_place
from controller.cli.tree import DeclaredTree
from controller.loading.schema_problems import did_you_mean
from controller.model.errors import PointsmanError, Stalled

F = TypeVar("F", bound=Callable[..., Any])


def having_alias(tree: DeclaredTree, alias: str, chosen: str | None, *, every: bool = False) -> tuple[str, ...]:
    """The deployments whose alias is meant: the chosen one, the only one, or with `every` all that have it."""
    having = tree.deployments_with(alias)
    if chosen is not None:
        tree.require_deployment(chosen)
        if chosen not in having:
            aliases = [name for deployment, name in tree.reading.layout.aliases if deployment == chosen]
            raise Stalled(f"deployment `{chosen}` has no alias `{alias}`", hint=did_you_mean(alias, aliases))
        return (chosen,)
    if not having:
        known = {name for _, name in tree.reading.layout.aliases}
        raise Stalled(f"no deployment has an alias `{alias}`", hint=did_you_mean(alias, known))
    if len(having) > 1 and not every:
        raise Stalled(
            f"{len(having)} deployments have the alias `{alias}`: {', '.join(having)}", hint=f"name one: -d {having[0]}"
        )
    return having


def deployment_option(function: F) -> F:
    """`-d`, on the commands that work on one deployment's alias."""
    option = click.option(
        "-d", "--deployment", metavar="D", shell_complete=complete_deployments, help="The deployment, where several have it."
    )
    return option(function)


def complete_deployments(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """The directories below `deployments/`."""
    return _named("deployments/*/", incomplete)


def complete_aliases(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """The alias files of every deployment."""
    return _named("deployments/*/aliases/*.yaml", incomplete)


def complete_versions(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """The version files."""
    return _named("versions/*.yaml", incomplete)


def _named(pattern: str, incomplete: str) -> list[str]:
    """Names from paths alone: completion must be quick, and silent where there is nothing."""
    try:
        declared: Path = find_place(None, None).source / DECLARED
    except PointsmanError:
        return []
    names = {path.name.removesuffix(".yaml") for path in declared.glob(pattern)}
    return sorted(name for name in names if name.startswith(incomplete))

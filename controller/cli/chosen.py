"""What a command of the Operate group is about: everything, one deployment, or one of its aliases."""

from __future__ import annotations

from dataclasses import dataclass

import click

from controller.cli.context import DECLARED, find_place
from controller.cli.selection import complete_aliases
from controller.model.errors import PointsmanError


@dataclass(frozen=True, slots=True)
class Chosen:
    """`D`, `D/ALIAS`, or nothing for everything."""

    deployment: str | None = None
    alias: str | None = None

    @classmethod
    def parse(cls, text: str | None) -> Chosen:
        """Raises UsageError for more than two names."""
        deployment, slash, alias = (text or "").partition("/")
        if text is not None and (not deployment or (slash and not alias) or "/" in alias):
            raise click.UsageError(f"{text!r}: write DEPLOYMENT or DEPLOYMENT/ALIAS")
        return cls(deployment or None, alias or None)

    def includes(self, deployment: str, alias: str) -> bool:
        """Whether it is about this alias."""
        return self.deployment in (None, deployment) and self.alias in (None, alias)


NOTHING_NAMED = Chosen()


def alias_of(text: str, deployment: str | None) -> tuple[str, str | None]:
    """An alias and its deployment, from `ALIAS` or `D/ALIAS` and what `-d` says. Raises UsageError where they differ."""
    if "/" not in text:
        return text, deployment
    chosen = Chosen.parse(text)
    if deployment not in (None, chosen.deployment):
        raise click.UsageError(f"{text!r} is of another deployment than -d {deployment}: choose one")
    return chosen.alias or "", chosen.deployment


def complete_alias_targets(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Aliases; after a slash with their deployments."""
    complete = complete_targets if "/" in incomplete else complete_aliases
    return complete(ctx, param, incomplete)


def complete_targets(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Deployments, and after a slash their aliases, from paths alone."""
    try:
        folder = find_place(None, None).source / DECLARED / "deployments"
    except PointsmanError:
        return []
    deployments = [path.name for path in folder.glob("*/")]
    aliases = [f"{path.parts[-3]}/{path.stem}" for path in folder.glob("*/aliases/*.yaml")]
    names = aliases if "/" in incomplete else deployments
    return sorted(name for name in names if name.startswith(incomplete))

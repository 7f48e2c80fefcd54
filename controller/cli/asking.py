"""Ask before what cannot be taken back."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import click

from controller.model.errors import Stalled

Command = Callable[..., Any]


def yes_options(function: Command) -> Command:
    """`--yes` and `--dry-run`."""
    function = click.option("--dry-run", is_flag=True, help="Only say what would be done.")(function)
    return click.option("-y", "--yes", is_flag=True, help="Do not ask.")(function)


def confirm(question: str, *, yes: bool) -> None:
    """Return when a person agrees. Raises Stalled where nobody can be asked, Abort for a no."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise Stalled(f"{question} Nobody can be asked here, so nothing was done", hint="--yes agrees, --dry-run only looks")
    click.confirm(question, abort=True, err=True)

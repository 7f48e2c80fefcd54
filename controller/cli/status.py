"""`pointsman status`: what serves, what git wants, and why the rest waits."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import click
from rich.console import Console, Group
from rich.live import Live

from controller.cli.chosen import Chosen, complete_targets
from controller.cli.context import Place, find_place, state_option
from controller.cli.outlook import Looker
from controller.cli.output import output_option, print_document, print_lines
from controller.cli.overviews import look
from controller.cli.status_document import Overview, document
from controller.cli.status_text import lines
from controller.cli.waiting import wait
from controller.loading.durations import seconds

_LOOK_EVERY = 1.0


class Duration(click.ParamType[float]):
    """`90s`, `15m`, `1h`, as in the declared files."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            return seconds(str(value))
        except ValueError:
            self.fail(f"{value!r} is no duration: write 90s, 15m or 1h30m", param, ctx)


@click.command()
@click.argument("target", metavar="[D[/ALIAS]]", required=False, shell_complete=complete_targets)
@click.option("-w", "--watch", is_flag=True, help="Show it again whenever something changes, until Ctrl-C.")
@click.option("--wait", "waits", is_flag=True, help="Wait until a revision serves: exit 0; or until it cannot: exit 1.")
@click.option("--revision", default="HEAD", show_default=True, help="With --wait: the commit that is to serve.")
@click.option("--timeout", type=Duration(), default="15m", show_default=True, help="With --wait: how long at most.")
@output_option
@state_option
def status(
    *, target: str | None, watch: bool, waits: bool, revision: str, timeout: float, output: str, state: Path | None
) -> int | None:
    r"""Show what serves on each deployment, what git wants there, and why something waits.

    With --wait, progress and the outcome go to stderr; the last line is the reason when the revision failed, is held,
    was given up or timed out. With -o name each line is DEPLOYMENT/ALIAS. docs/reference/status.md describes the JSON.

    \b
    Examples:
      pointsman status
      pointsman status americas/production -o json
      git push && pointsman status --wait --timeout 10m
    """
    if watch and waits:
        raise click.UsageError("--watch shows for ever, --wait ends: choose one")
    place, chosen = find_place(None, state), Chosen.parse(target)
    if waits:
        return wait(place, chosen, revision, timeout)
    with Looker(place) as looker:
        if watch:
            _watch(place, looker, chosen, output)
        else:
            _print(look(place, looker, chosen), output)
    return None


def _print(found: Overview, output: str) -> None:
    if output in ("json", "yaml"):
        print_document(document(found), output)
    elif output == "name":
        for unit in found.units:
            for alias in unit.aliases:
                click.echo(f"{unit.unit.deployment}/{alias.name}")
    else:
        print_lines(lines(found, wide=output == "wide"))


def _watch(place: Place, looker: Looker, chosen: Chosen, output: str) -> None:
    """On a terminal the same place is drawn again; elsewhere each change is printed below the last."""
    if output not in ("table", "wide") or not sys.stdout.isatty():
        _watch_plainly(place, looker, chosen, output)
        return
    with Live(console=Console(highlight=False), auto_refresh=False, screen=False) as live:
        while True:
            live.update(Group(*lines(look(place, looker, chosen), wide=output == "wide")), refresh=True)
            time.sleep(_LOOK_EVERY)


def _watch_plainly(place: Place, looker: Looker, chosen: Chosen, output: str) -> None:
    last: dict[str, Any] | None = None
    while True:
        found = look(place, looker, chosen)
        current = document(found)
        if current != last:
            _print(found, output)
            sys.stdout.flush()
            last = current
        time.sleep(_LOOK_EVERY)

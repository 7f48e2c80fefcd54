"""`pointsman status`: what serves, what git wants, and why the rest waits."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, NoReturn

import click
from rich.console import Console, Group
from rich.live import Live

from controller.cli.chosen import Chosen, complete_targets
from controller.cli.cluster_view import look_at_clusters, only_chosen
from controller.cli.cluster_waiting import wait_on_clusters
from controller.cli.context import find_place
from controller.cli.durations import Duration
from controller.cli.exit_codes import ERROR, OK
from controller.cli.here import Here
from controller.cli.outlook import Looker
from controller.cli.output import output_option, print_document, print_lines
from controller.cli.overviews import look
from controller.cli.reach.choice import Kubernetes
from controller.cli.reach.opening import Reached, chosen_clusters, reach_cluster
from controller.cli.reach.options import Where, where_options
from controller.cli.status_document import Overview, document
from controller.cli.status_text import lines
from controller.cli.waiting import tell, wait

_LOOK_EVERY = 1.0
_LAST_LOOK = 3.0
"""Seconds beyond the timeout for the look that names the reason."""
Look = Callable[[], Overview]


@click.command()
@click.argument("target", metavar="[D[/ALIAS]]", required=False, shell_complete=complete_targets)
@click.option("-w", "--watch", is_flag=True, help="Show it again whenever something changes, until Ctrl-C.")
@click.option("--wait", "waits", is_flag=True, help="Wait until a revision serves: exit 0; or until it cannot: exit 1.")
@click.option("--revision", default="HEAD", show_default=True, help="With --wait: the commit that is to serve.")
@click.option("--timeout", type=Duration(), default="15m", show_default=True, help="With --wait: how long at most.")
@output_option
@where_options
def status(*, target: str | None, watch: bool, waits: bool, revision: str, timeout: float, output: str, where: Where) -> int:
    r"""Show what serves on each deployment, what git wants there, and why something waits.

    With --wait, progress and the outcome go to stderr; the last line is the reason when the revision failed, is held,
    was given up or timed out. On Kubernetes it is read from the target with the caller's own kubeconfig. With -o name
    each line is DEPLOYMENT/ALIAS. docs/reference/status.md describes the JSON.

    \b
    Examples:
      pointsman status
      pointsman status americas/production -o json
      git push && pointsman status --wait --timeout 10m
      pointsman status --context admin@us-east -n acme-shop-0f3a91
    """
    if watch and waits:
        raise click.UsageError("--watch shows for ever, --wait ends: choose one")
    chosen = Chosen.parse(target)
    if clusters := chosen_clusters(where):
        return _on_clusters(clusters, where, chosen, _Wish(output, watch, revision if waits else None, timeout))
    place = find_place(None, where.state)
    if waits:
        return wait(place, chosen, revision, timeout)
    with Looker(place) as looker:
        if watch:
            _watch(lambda: look(place, looker, chosen), output)
        else:
            _print(look(place, looker, chosen), output)
    return OK


@dataclass(frozen=True, slots=True)
class _Wish:
    """How a person wants to see it; `awaited` is the commit that is to serve."""

    output: str
    watch: bool
    awaited: str | None
    timeout: float


def _on_clusters(clusters: tuple[Kubernetes, ...], where: Where, chosen: Chosen, wish: _Wish) -> int:
    here = Here()
    with ExitStack() as opened:
        targets = [opened.enter_context(reach_cluster(choice, where)) for choice in clusters]
        opened.callback(here.close)

        def whole() -> Overview:
            return look_at_clusters(targets, here)

        def looks() -> Overview:
            return only_chosen(whole(), chosen)

        if wish.awaited:
            _bound(targets, wish.timeout)
            return tell(wait_on_clusters(whole, [target.name for target in targets], chosen, wish.awaited, wish.timeout))
        if wish.watch:
            _watch(looks, wish.output)
        found = looks()
        _print(found, wish.output)
        return ERROR if found.errors else OK


def _bound(targets: Iterable[Reached], timeout: float) -> None:
    """A server that is slow to answer does not hold the command much longer than it was told to wait."""
    end = time.monotonic() + timeout + _LAST_LOOK
    for target in targets:
        if target.kubernetes:
            target.kubernetes.exchange.end = end


def _print(found: Overview, output: str) -> None:
    if output in ("json", "yaml"):
        print_document(document(found), output)
    elif output == "name":
        for unit in found.units:
            for alias in unit.aliases:
                click.echo(f"{unit.unit.deployment}/{alias.name}")
    else:
        print_lines(lines(found, wide=output == "wide"))


def _watch(looks: Look, output: str) -> NoReturn:
    """On a terminal the same place is drawn again; elsewhere each change is printed below the last."""
    if output not in ("table", "wide") or not sys.stdout.isatty():
        _watch_plainly(looks, output)
    with Live(console=Console(highlight=False), auto_refresh=False, screen=False) as live:
        while True:
            live.update(Group(*lines(looks(), wide=output == "wide")), refresh=True)
            time.sleep(_LOOK_EVERY)


def _watch_plainly(looks: Look, output: str) -> NoReturn:
    last: dict[str, Any] | None = None
    while True:
        found = looks()
        current = document(found)
        if current != last:
            _print(found, output)
            sys.stdout.flush()
            last = current
        time.sleep(_LOOK_EVERY)

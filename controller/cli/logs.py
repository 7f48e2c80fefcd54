"""`pointsman logs`: what endpoints print, also after they have ended."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Iterator

import click

from controller.cli.context import Place
from controller.cli.durations import Duration
from controller.cli.log_choices import LogChoice, choose, complete_choices, log_choices
from controller.cli.log_wish import LogWish
from controller.cli.output import note
from controller.cli.reach.opening import Reached, reach
from controller.cli.reach.options import Where, where_options
from controller.embedded.runtime.logs import LogDirectory, LogLine
from controller.model import labels
from controller.model.errors import Stalled

Line = tuple[str, str]
"""A replica's name and what it printed."""


@click.command()
@click.argument("target", metavar="[[D/]VERSION|ALIAS/]ENDPOINT", default="", shell_complete=complete_choices)
@click.option("-f", "--follow", is_flag=True, help="Go on with what is printed from now on, until Ctrl-C.")
@click.option("--tail", type=click.IntRange(0), metavar="N", help="Only the last N lines of each replica. Default: all.")
@click.option("--since", type=Duration(), metavar="5m", help="Only what was printed so lately. On Kubernetes targets.")
@click.option(
    "-p", "--previous", is_flag=True, help="What was printed before the last restart (embedded: by replicas that ended)."
)
@where_options
def logs(*, target: str, follow: bool, tail: int | None, since: float | None, previous: bool, where: Where) -> None:
    r"""Print what an endpoint printed: stdout and stderr of each replica, oldest first.

    Names may be left out while only one endpoint fits; without any, all are listed where there are several.
    Lines begin with the replica's name where there are several. On the embedded target the last 5 to 10 MiB of each
    replica are kept, on Kubernetes what the node keeps, as long as the pod is there.

    \b
    Examples:
      pointsman logs americas/production/predict-digit -f
      pointsman logs 20181003.0/predict-digit --tail 50
      pointsman logs predict-digit --previous --context admin@us-east
    """
    if follow and previous:
        raise click.UsageError("--previous has ended, --follow goes on: choose one")
    wish = LogWish(tail, since, previous, follow)
    with reach(where) as reached:
        chosen = choose(log_choices(reached), target)
        if reached.place is None:
            _print_pods(reached, chosen, wish)
            return
        place, running = reached.place, _running(reached, chosen)
    _print_files(place, chosen, wish, running)


def _print_pods(reached: Reached, chosen: LogChoice, wish: LogWish) -> None:
    module = importlib.import_module("controller.cli.pod_logs")
    pods: tuple[str, ...] = module.pods_of(reached.kubernetes, chosen)
    printed: Callable[..., Iterator[Line]] = module.printed
    if not _print(printed(reached.kubernetes, chosen, pods, wish), several=len(pods) > 1):
        note(f"{chosen} ({chosen.workload}) has printed nothing{' so lately' if wish.since else ' yet'}")


def _print_files(place: Place, chosen: LogChoice, wish: LogWish, running: frozenset[str]) -> None:
    if wish.since is not None:
        raise Stalled("the embedded target does not note when a line was printed", hint="--tail N instead of --since")
    files = LogDirectory(place.state.logs)
    found = list(files.read(chosen.namespace, chosen.workload, lines=wish.tail))
    if wish.previous:
        found = [line for line in found if line.replica not in running]
    replicas = {line.replica for line in found}
    _print(map(_pair, found), several=len(replicas) > 1)
    if wish.follow:
        _follow(files, chosen, replicas)
    elif not found:
        note(f"{chosen} ({chosen.workload}) has printed nothing{' before' if wish.previous else ' yet'}")


def _follow(files: LogDirectory, chosen: LogChoice, replicas: set[str]) -> None:
    """Replicas that come later are followed too."""
    for line in files.follow(chosen.namespace, chosen.workload, stop=lambda: False):
        replicas.add(line.replica)
        _print([_pair(line)], several=len(replicas) > 1)


def _print(lines: Iterable[Line], *, several: bool) -> int:
    """Print as they come; how many there were."""
    count = 0
    for replica, text in lines:
        click.echo(f"[{replica}] {text}" if several else text)
        count += 1
    return count


def _pair(line: LogLine) -> Line:
    return line.replica, line.text


def _running(reached: Reached, chosen: LogChoice) -> frozenset[str]:
    """The replicas that are there now."""
    pods = reached.client.list("Pod", namespace=chosen.namespace, labels={labels.WORKLOAD: chosen.workload}).items
    return frozenset(pod["metadata"]["name"] for pod in pods)

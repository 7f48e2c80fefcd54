"""`pointsman logs`: what endpoints print, also after they have ended."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from controller.cli.context import Place, cluster_client, find_place, state_option
from controller.cli.log_choices import LogChoice, choose, complete_choices, log_choices
from controller.cli.output import note
from controller.embedded.runtime.logs import LogDirectory, LogLine


@click.command()
@click.argument("target", metavar="[[D/]VERSION|ALIAS/]ENDPOINT", default="", shell_complete=complete_choices)
@click.option("-f", "--follow", is_flag=True, help="Go on with what is printed from now on, until Ctrl-C.")
@click.option("--tail", type=click.IntRange(0), metavar="N", help="Only the last N lines of each replica. Default: all.")
@state_option
def logs(target: str, follow: bool, tail: int | None, state: Path | None) -> None:
    r"""Print what an endpoint printed: stdout and stderr of each replica, oldest first.

    Names may be left out while only one endpoint fits; without any, all are listed where there are several.
    Lines begin with the replica's name where there are several. The last 5 to 10 MiB of each replica are kept.

    \b
    Examples:
      pointsman logs americas/production/predict-digit -f
      pointsman logs 20181003.0/predict-digit --tail 50
      pointsman logs predict-digit
    """
    place = find_place(None, state)
    with cluster_client(place) as client:
        chosen = choose(log_choices(client), target)
    files = LogDirectory(place.state.logs)
    several = _print(files.read(chosen.namespace, chosen.workload, lines=tail), _replicas(files, chosen))
    if follow:
        _follow(place, chosen, several)
    elif not several:
        note(f"{chosen} ({chosen.workload}) has printed nothing yet")


def _replicas(files: LogDirectory, chosen: LogChoice) -> set[str]:
    """The replicas that have printed something."""
    return {line.replica for line in files.read(chosen.namespace, chosen.workload, lines=1)}


def _follow(place: Place, chosen: LogChoice, replicas: set[str]) -> None:
    files = LogDirectory(place.state.logs)
    _print(files.follow(chosen.namespace, chosen.workload, stop=lambda: False), replicas)


def _print(lines: Iterator[LogLine], replicas: set[str]) -> set[str]:
    """Print as they come; the names of all replicas so far."""
    for line in lines:
        replicas.add(line.replica)
        click.echo(f"[{line.replica}] {line.text}" if len(replicas) > 1 else line.text)
    return replicas

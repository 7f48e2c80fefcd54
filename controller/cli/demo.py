"""`pointsman demo`: the sample repository served on this machine, to be played with or to show itself."""

from __future__ import annotations

import importlib

import click

from controller.cli.interruption import interrupted_once
from controller.cli.output import note
from controller.cli.runtime.choice import runtime_option


@click.command()
@click.option("--tour", is_flag=True, help="Release, promote, refuse a broken version and revert; check each over HTTP; end.")
@click.option("--keep", is_flag=True, help="Leave the copy and its state when the demo ends.")
@click.option("--port", type=click.IntRange(1, 65535), help="The gateway's port. Default: 8080 or the next free one.")
@runtime_option
def demo(*, tour: bool, keep: bool, port: int | None, runtime: str) -> int:
    r"""Serve a scratch copy of the sample repository, to commit to from a second terminal.

    The copy is a git repository with a history of its own, and it is removed at the end. With --tour nothing is left to
    do: the exit code is 0 when every step was seen over HTTP and no request failed, else 1.

    \b
    Examples:
      pointsman demo                       serve it and say what to try
      pointsman demo --tour                watch releases, a refusal and reverts under load
      pointsman demo --keep                go on with the copy later
      pointsman demo --runtime process     without Docker, where it is there
    """
    with interrupted_once() as interruption:
        note("Pointsman demo: a copy of the sample repository, served on this machine. Ctrl-C ends it.")
        run = importlib.import_module("controller.cli.demo_run").run  # takes a second, so the first line comes before it
        code: int = run(interruption, tour=tour, keep=keep, port=port, runtime=runtime)
    return code

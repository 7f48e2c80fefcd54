"""The `pointsman` command: its verbs in three groups, imported only when they are used."""

from __future__ import annotations

import importlib
import logging
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import click

from controller import __version__
from controller.cli.exit_codes import ERROR, INTERRUPTED, TERMINATED, USAGE
from controller.model.errors import PointsmanError

GROUPS: dict[str, tuple[str, ...]] = {
    "Try": ("demo", "up", "init"),
    "Release": ("validate", "plan", "show", "version", "promote", "rollback", "allow-prune"),
    "Operate": (
        "run",
        "apply",
        "status",
        "history",
        "logs",
        "pin",
        "unpin",
        "suspend",
        "resume",
        "restart",
        "reconcile",
        "adopt",
        "forget",
        "secret",
        "completion",
    ),
}

MODULES = {"unpin": "pin", "resume": "suspend"}
"""Verbs that live beside their opposite."""


class Verbs(click.Group):
    """Loads a verb's module when it is asked for, so that `--help` and completion stay quick."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return [verb for verbs in GROUPS.values() for verb in verbs]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        name = cmd_name.replace("-", "_")
        command: click.Command = getattr(importlib.import_module(f"controller.cli.{MODULES.get(name, name)}"), name)
        return _with_kept_lines(command)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for group, verbs in GROUPS.items():
            rows = [(verb, command.get_short_help_str(110)) for verb in verbs if (command := self.get_command(ctx, verb))]
            with formatter.section(group):
                formatter.write_dl(rows)


def _with_kept_lines(command: click.Command) -> click.Command:
    r"""Click keeps a paragraph's lines after the character `\b`; raw docstrings, as ours, have a backslash and a letter."""
    if command.help:
        command.help = command.help.replace("\\b\n", "\b\n")
    for below in command.commands.values() if isinstance(command, click.Group) else ():
        _with_kept_lines(below)
    return command


@click.command(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option("-v", "--verbose", count=True, help="Say more on stderr; twice for debugging.")
@click.version_option(__version__, prog_name="pointsman")
def cli(verbose: int) -> None:
    r"""A GitOps controller for versioned inference services: commits release, merges promote, `git revert` rolls back.

    \b
    Examples:
      pointsman demo                       see it work on this machine
      pointsman up                         serve the repository in this directory
      pointsman promote production 20181003.0
      pointsman status --wait
    """
    level = {0: logging.ERROR, 1: logging.INFO}.get(verbose, logging.DEBUG)
    logging.basicConfig(level=level, format="%(levelname).1s %(threadName)s %(message)s", stream=sys.stderr)
    for noisy in ("docker", "httpx2", "httpcore2", "urllib3", "watchdog", "git"):
        logging.getLogger(noisy).setLevel(max(level, logging.WARNING))


_with_kept_lines(cli)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command and end the process with its exit code (docs/decisions: exit codes)."""
    signal.signal(signal.SIGTERM, _terminated)
    try:
        code: Any = cli.main(arguments, prog_name=_own_name(), standalone_mode=False)
    except click.UsageError as error:
        error.show()
        sys.exit(USAGE)
    except click.ClickException as error:
        error.show()
        sys.exit(ERROR)
    except PointsmanError as error:
        click.echo(f"error: {error.message}", err=True)
        if error.hint:
            click.echo(f"hint: {error.hint}", err=True)
        sys.exit(ERROR)
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted", err=True)
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(ERROR)
    sys.exit(code if isinstance(code, int) else 0)


def _own_name() -> str:
    """`kubectl pointsman` where kubectl calls it as its plug-in `kubectl-pointsman`."""
    return "kubectl pointsman" if Path(sys.argv[0]).name == "kubectl-pointsman" else "pointsman"


def _terminated(_number: int, _frame: FrameType | None) -> NoReturn:
    """SIGTERM ends a command as Ctrl-C does: through every `finally`."""
    sys.exit(TERMINATED)

"""Write docs/reference/cli.md from the command line itself: `python docs/generate_cli.py > docs/reference/cli.md`."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import click

from controller.cli.app import main

NAME = "pointsman"
LEAD = """# The command line

Made from the program's own help by `make docs`. Data goes to stdout, everything else to stderr. Exit codes: 0 fine, 1 error,
2 differences (only with `--exit-code`), 64 wrong usage, 130 and 143 signals.
"""


def commands(command: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    """A command and all below it, with their full names, in alphabetical order; hidden ones are left out."""
    yield name, command
    if isinstance(command, click.Group):
        for below in sorted(command.commands):
            if not command.commands[below].hidden:
                yield from commands(command.commands[below], f"{name} {below}")


def section(name: str, command: click.Command) -> Iterator[str]:
    """One command as Markdown: usage, what it is for, its options."""
    context = click.Context(command, info_name=name)
    usage = " ".join(command.collect_usage_pieces(context))
    yield f"\n## {name}\n\n```text\n{name} {usage}\n```\n"
    if command.help:
        yield "\n" + click.unstyle(command.help).replace("\b\n", "").strip() + "\n"
    rows = [record for option in command.params if (record := option.get_help_record(context)) and option.name != "help"]
    if rows:
        yield "\n| option | what it does |\n|---|---|\n"
        yield from (f"| `{_cell(names)}` | {_cell(text)} |\n" for names, text in rows)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def page() -> str:
    """The whole page; the same program gives the same text."""
    return LEAD + "".join(part for name, command in commands(main, NAME) for part in section(name, command))


if __name__ == "__main__":
    sys.stdout.write(page())

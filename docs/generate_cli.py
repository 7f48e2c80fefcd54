"""Write docs/reference/cli.md from the command line itself: `make docs`."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path

import click

from controller.cli.app import cli

NAME = "pointsman"
PAGE = Path(__file__).parent / "reference" / "cli.md"
LEAD = """# The command line

Made from the program's own help by `make docs`. Data goes to stdout, everything else to stderr. Exit codes: 0 fine, 1 error,
2 differences (only with `--exit-code`), 64 wrong usage, 130 and 143 signals.
"""


def contexts(command: click.Command = cli, name: str = NAME, parent: click.Context | None = None) -> Iterator[click.Context]:
    """A command and all below it in the order of their help; hidden ones are left out."""
    context = click.Context(command, info_name=name, parent=parent, **command.context_settings)
    yield context
    if isinstance(command, click.Group):
        for verb in command.list_commands(context):
            below = command.get_command(context, verb)
            if below and not below.hidden:
                yield from contexts(below, verb, context)


def section(context: click.Context) -> Iterator[str]:
    """One command as Markdown: usage, what it is for, its options."""
    command, name = context.command, context.command_path
    yield f"\n## {name}\n\n```text\n{' '.join([name, *command.collect_usage_pieces(context)])}\n```\n"
    yield from (_paragraph(text) for text in inspect.cleandoc(command.help or "").split("\n\n") if text)
    records = [parameter.get_help_record(context) for parameter in command.get_params(context)]
    if rows := [record for record in records if record]:
        yield "\n| option | what it does |\n|---|---|\n"
        yield from (f"| `{_cell(names)}` | {_cell(text)} |\n" for names, text in rows)


def _paragraph(text: str) -> str:
    """A paragraph as Markdown; the lines of an example stay as they are (click marks it by a backspace)."""
    kept = text.removeprefix("\b\n")
    return f"\n{text}\n" if kept == text else f"\n```text\n{kept}\n```\n"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def page() -> str:
    """The whole page; the same program gives the same text."""
    return LEAD + "".join(part for context in contexts() for part in section(context))


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")

"""Data on stdout in the format that was asked for; everything else on stderr, coloured only on a terminal."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import click
import yaml
from rich.console import Console
from rich.text import Text

from controller.cli.text_table import table

F = TypeVar("F", bound=Callable[..., Any])
FORMATS = ("table", "wide", "json", "yaml", "name")
Row = Mapping[str, object]


def output_option(function: F) -> F:
    """The `-o` option that every reading command has."""
    option = click.option(
        "-o", "--output", type=click.Choice(FORMATS), default="table", show_default=True, help="Output format."
    )
    return option(function)


def print_rows(
    rows: Sequence[Row], output: str, *, columns: Sequence[str], wide: Sequence[str] = (), name: str = "name"
) -> None:
    """Rows in one format: `columns` make the table, `wide` come on top with `-o wide`; json and yaml carry every key."""
    if output == "json":
        click.echo(json.dumps([dict(row) for row in rows], indent=2))
    elif output == "yaml":
        click.echo(yaml.safe_dump([dict(row) for row in rows], sort_keys=False), nl=False)
    elif output == "name":
        for row in rows:
            click.echo(str(row[name]))
    else:
        shown = [*columns, *(wide if output == "wide" else ())]
        print_lines(table([name.upper() for name in shown], ([_cell(row.get(name)) for name in shown] for row in rows)))


def print_lines(lines: Iterable[Text]) -> None:
    """Lines of text, never cut: what does not fit a terminal wraps there, a pipe gets all of it."""
    console = Console(highlight=False, soft_wrap=True)
    for line in lines:
        console.print(line)


def print_document(document: Mapping[str, Any], output: str) -> None:
    """One document as JSON or YAML."""
    text = yaml.safe_dump(dict(document), sort_keys=False) if output == "yaml" else json.dumps(document, indent=2)
    click.echo(text.rstrip())


def note(text: str) -> None:
    """A line for the person, on stderr."""
    click.echo(text, err=True)


def hint(text: str) -> None:
    """The next step, set apart."""
    click.echo(f"hint: {text}", err=True)


def error_console() -> Console:
    """Progress goes to stderr: plain unless it is a terminal; NO_COLOR is honoured by rich."""
    return Console(file=sys.stderr, highlight=False, soft_wrap=True)


def _cell(value: object) -> str:
    return "" if value is None else str(value)

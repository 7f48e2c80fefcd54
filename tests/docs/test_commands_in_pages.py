"""Every command line in the README and the guides is one that the program understands."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from controller.cli.app import cli

pytestmark = pytest.mark.pure

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted(ROOT.glob("docs/guides/*.md")), *sorted(ROOT.glob("docs/errors/*.md"))]
_LINE = re.compile(r"^(?:\$ |\s*- run: )(pointsman .*)$", re.MULTILINE)
_INLINE = re.compile(r"`(pointsman [^`\n]+)`")
_HINT = re.compile(r"^\s*hint: (pointsman .*)$", re.MULTILINE)
_ENDS = ("|", ">", ">>", "&&", "...")


def command_lines(page: Path) -> Iterator[str]:
    text = page.read_text(encoding="utf-8")
    for pattern in (_LINE, _INLINE, _HINT):
        yield from pattern.findall(text)


def words_of(line: str) -> list[str]:
    """The arguments, without comments, redirections and what a page marks as optional."""
    words = shlex.split(line.replace("[", "").replace("]", ""), comments=True)[1:]
    end = next((number for number, word in enumerate(words) if word in _ENDS), len(words))
    return words[:end]


def parse(words: list[str]) -> None:
    """Find the verb, then its options and arguments. Raises click.UsageError."""
    command: click.Command = cli
    context = click.Context(cli, info_name="pointsman")
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        name, *words = words
        found = command.get_command(context, name)
        if found is None:
            raise click.UsageError(f"no command {name}")
        command, context = found, click.Context(found, parent=context, info_name=name)
    _, left, _ = command.make_parser(context).parse_args(list(words))
    if left:
        raise click.UsageError(f"too much: {left}")


@pytest.mark.parametrize(
    ("page", "line"),
    [(page.relative_to(ROOT).as_posix(), line) for page in PAGES for line in dict.fromkeys(command_lines(page))],
)
def test_a_command_line_parses(page: str, line: str) -> None:
    parse(words_of(line))


@pytest.mark.parametrize("line", ["pointsman deploy", "pointsman up --no-such-option", "pointsman version make"])
def test_a_wrong_one_does_not(line: str) -> None:
    with pytest.raises(click.UsageError):
        parse(words_of(line))

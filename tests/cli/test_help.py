"""What every command's help looks like on a terminal."""

from __future__ import annotations

from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from controller.cli.app import cli

pytestmark = pytest.mark.pure


def commands(group: click.Group, words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        yield (*words, name)
        if isinstance(command, click.Group):
            yield from commands(command, (*words, name))


def test_every_verb_is_told_in_one_whole_line() -> None:
    listed = CliRunner().invoke(cli, ["--help"], terminal_width=100).output.partition("Try:\n")[2]
    lines = [line.split() for line in listed.splitlines() if line and not line.endswith(":")]
    assert [words[0] for words in lines] == cli.list_commands(click.Context(cli))
    assert "..." not in listed


@pytest.mark.parametrize("words", [(), *commands(cli)], ids=" ".join)
def test_examples_stand_one_a_line_and_options_are_explained(words: tuple[str, ...]) -> None:
    result = CliRunner().invoke(cli, [*words, "--help"])
    assert result.exit_code == 0
    assert "\\b" not in result.output
    examples = result.output.partition("Examples:\n")[2].splitlines()
    assert not examples or "pointsman" in examples[0]

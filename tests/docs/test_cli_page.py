from __future__ import annotations

import re
import runpy
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from controller.cli.app import cli

pytestmark = pytest.mark.pure

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("sample-repo/*.md")])


@pytest.fixture(scope="module")
def generator() -> dict[str, Any]:
    return runpy.run_path(str(DOCS / "generate_cli.py"))


def test_the_page_is_what_the_program_says_of_itself() -> None:
    """In a process of its own: click keeps a command's help option from the first context that asks for it."""
    code = "import runpy, sys; sys.stdout.write(runpy.run_path(sys.argv[1])['page']())"
    command = [sys.executable, "-c", code, str(DOCS / "generate_cli.py")]
    page = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert (DOCS / "reference" / "cli.md").read_text() == page, "run `make docs` and commit docs/reference/cli.md"


def test_every_command_and_option_says_what_it_is_for(generator: dict[str, Any]) -> None:
    contexts: Callable[[], Iterator[click.Context]] = generator["contexts"]
    silent = []
    for context in contexts():
        if not context.command.help:
            silent.append(context.command_path)
        options = [p for p in context.command.params if isinstance(p, click.Option) and not (p.hidden or p.help)]
        silent += [f"{context.command_path} {option.opts[-1]}" for option in options]
    assert silent == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_page_names_a_command_that_is_not_there(page: Path) -> None:
    named = set(re.findall(r"(?:`|\$ )pointsman ([a-z][a-z-]*)", page.read_text(encoding="utf-8")))
    assert named - set(cli.list_commands(click.Context(cli))) == set()

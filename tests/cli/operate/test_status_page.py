"""The JSON of `status` is stable: every key is on its page, and the page names none that is not there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from controller.cli.status_document import Overview, document
from controller.model.conditions import Condition
from controller.model.diagnostics import Diagnostic, Location, Severity
from tests.cli.operate.test_unit_status import failed_build, serving
from tests.cli.operate.worlds import URL, status_of
from tests.plan.world import alias_file, deployment

pytestmark = pytest.mark.pure
PAGE = Path(__file__).parents[3] / "docs" / "reference" / "status.md"


def keys(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from value
        for below in value.values():
            yield from keys(below)
    elif isinstance(value, list):
        for below in value:
            yield from keys(below)


@pytest.fixture(scope="module")
def printed() -> set[str]:
    held = serving()
    held.declare(deployment(["20181002.0"], {}), changed=(alias_file("production"),))
    held.run()
    diagnostic = Diagnostic("PM101", Severity.ERROR, "This is not YAML", Location("a.yaml", 1, 2))
    units = tuple(status_of(world) for world in (serving(), failed_build(), held))
    assert any(unit.holds for unit in units)
    assert isinstance(units[1].conditions[0], Condition)
    return set(keys(document(Overview("/src", None, 1, URL, (), (diagnostic,), units))))


def documented() -> set[str]:
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    names = {name for row in rows for name in re.findall(r"`([\w.]+)(?:\[\])?`", row.split(" | ")[0])}
    return {part for name in names for part in name.split(".")}


def test_every_key_is_documented(printed: set[str]) -> None:
    anywhere = set(re.findall(r"`([\w.]+)(?:\[\])?`", PAGE.read_text()))
    assert printed - {part for name in anywhere for part in name.split(".")} == set()


def test_the_page_names_no_key_that_is_not_printed(printed: set[str]) -> None:
    assert documented() - printed == set()

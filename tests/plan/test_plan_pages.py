"""Every key and every reason of a plan is in the reference."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from controller.model.changes import Plan
from controller.plan import report
from tests.plan.world import UNIT

pytestmark = pytest.mark.pure
ROOT = Path(__file__).parents[2]
NAMED = set(re.findall(r"`([A-Za-z]+)`", (ROOT / "docs" / "reference" / "plan.md").read_text()))


def reasons() -> set[str]:
    """The second argument of every Gate and Hold in the planner's source."""
    calls = (
        node
        for file in (ROOT / "controller" / "plan").glob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("Gate", "Hold")
    )
    arguments = (call.args[1] for call in calls)
    return {a.value for a in arguments if isinstance(a, ast.Constant)} | {"Draining", "KeepWarm"}


@pytest.mark.parametrize("reason", sorted(reasons()))
def test_every_reason_is_documented(reason: str) -> None:
    assert reason in NAMED, f"describe `{reason}` in docs/reference/plan.md"


@pytest.mark.parametrize("key", sorted(report.to_json(Plan(UNIT, "r", 0.0))))
def test_every_key_is_documented(key: str) -> None:
    assert key in NAMED, f"describe `{key}` in docs/reference/plan.md"


def test_the_page_names_no_reason_that_is_not_given() -> None:
    rows = re.findall(r"^\| `([A-Z][A-Za-z]+)` \|", (ROOT / "docs" / "reference" / "plan.md").read_text(), re.MULTILINE)
    assert set(rows) <= reasons()

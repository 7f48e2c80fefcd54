from __future__ import annotations

import re
from pathlib import Path

import pytest

from controller.engine.drift import Drift
from controller.engine.happenings import of_drifts, of_facts
from controller.model import labels
from controller.model.changes import FieldChange
from controller.model.identity import ObjectKey
from controller.model.record import Fact, FactKind

pytestmark = pytest.mark.pure

KEY = ObjectKey("Service", "ns", "predict")
REFERENCE = Path(__file__).parents[2] / "docs" / "reference"
WRITTEN = sorted(
    value for name, value in vars(labels).items() if name.isupper() and isinstance(value, str) and name != "PREFIX"
)


def codes(page: str) -> set[str]:
    """Everything in backticks on a page."""
    return set(re.findall(r"`([^`\n]+)`", (REFERENCE / page).read_text()))


@pytest.mark.parametrize("name", WRITTEN)
def test_every_label_annotation_and_header_is_documented(name: str) -> None:
    assert name in codes("labels.md"), f"describe `{name}` of controller/model/labels.py in docs/reference/labels.md"


def test_the_page_names_no_label_that_is_not_written() -> None:
    own = {code for code in codes("labels.md") if code.startswith((labels.PREFIX, "X-Pointsman-"))}
    assert own - set(WRITTEN) == {labels.PREFIX, "X-Pointsman-"}


@pytest.mark.parametrize("kind", list(FactKind))
def test_every_kind_of_fact_is_documented(kind: FactKind) -> None:
    rows = (REFERENCE / "record.md").read_text().splitlines()
    assert any(row.startswith(f"| `{kind.value}` |") for row in rows), f"describe `{kind.value}` in docs/reference/record.md"


@pytest.mark.parametrize("drift", [Drift(KEY), Drift(KEY, "somebody", (FieldChange("spec.type", "a", "b"),))])
def test_every_reason_for_what_is_put_back_is_documented(drift: Drift) -> None:
    [happening] = of_drifts([drift])
    rows = (REFERENCE / "events.md").read_text().splitlines()
    assert any(row.startswith(f"| `{happening.reason}` | Warning |") for row in rows), f"describe `{happening.reason}`"


@pytest.mark.parametrize("fact", [Fact(kind, "production", "w", "main", 0.0) for kind in FactKind])
def test_every_reason_of_an_event_about_a_fact_is_documented(fact: Fact) -> None:
    rows = (REFERENCE / "events.md").read_text().splitlines()
    for happening in of_facts([fact], {}):
        assert any(row.startswith(f"| `{happening.reason}` |") for row in rows), f"describe `{happening.reason}`"

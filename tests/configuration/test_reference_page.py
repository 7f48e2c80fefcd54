"""docs/reference/configuration.md is complete, and its examples are valid."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from controller.loading.configuration import load_configuration
from controller.loading.schema import CONTROLLER, schema

pytestmark = pytest.mark.pure

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "configuration.md").read_text("utf-8")
WORDS = {word for code in re.findall(r"`([^`\n]+)`", PAGE) for word in re.split(r"[^\w-]+", code)}


def properties(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        if isinstance(value.get("properties"), dict):
            yield from value["properties"].items()
        for below in value.values():
            yield from properties(below)


def test_every_setting_is_on_the_page() -> None:
    missing = sorted({key for key, _ in properties(schema(CONTROLLER)) if key not in WORDS})
    assert not missing, "describe these keys of schemas/controller.json in docs/reference/configuration.md"


def test_the_schema_is_draft_07_and_helps_editors() -> None:
    content = schema(CONTROLLER)
    Draft7Validator.check_schema(content)
    assert not [key for key, value in properties(content) if "$ref" not in value and "description" not in value]


def test_the_examples_are_valid() -> None:
    examples = [text for text in re.findall(r"```yaml\n(.+?)```", PAGE, re.DOTALL) if "\nsources:" in text]
    assert examples
    for text in examples:
        found = load_configuration(text.encode(), Path("/etc/pointsman/controller.yaml"), state_home=Path("/state"))
        assert found.diagnostics == ()

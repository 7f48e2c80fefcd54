"""The pages of the declared format and of the diagnostics are complete, and promise nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from controller.loading.schema import SCHEMAS, schema
from controller.model.catalogue import CODES

pytestmark = pytest.mark.pure

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reference" / "format.md").read_text("utf-8")
WORDS = {word for code in re.findall(r"`([^`\n]+)`", PAGE) for word in re.split(r"[^\w-]+", code)}


def properties(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        if isinstance(value.get("properties"), dict):
            yield from value["properties"].items()
        for below in value.values():
            yield from properties(below)
    elif isinstance(value, list):
        for below in value:
            yield from properties(below)


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_property_is_on_the_page(name: str) -> None:
    missing = {key for key, _ in properties(schema(name)) if key not in WORDS}
    assert not missing, f"describe these keys of schemas/{name}.json in docs/reference/format.md"


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_is_draft_07_and_helps_editors(name: str) -> None:
    content = schema(name)
    Draft7Validator.check_schema(content)
    assert content["title"]
    assert content["description"]
    assert content["$schema"].startswith("http://json-schema.org/draft-07/")
    bare = [
        key for key, value in properties(content) if "$ref" not in value and "description" not in value and "enum" not in value
    ]
    assert not bare, "give each property a description"


@pytest.mark.parametrize("code", sorted(CODES))
def test_every_code_has_a_page(code: str) -> None:
    text = (ROOT / "docs" / "errors" / f"{code}.md").read_text("utf-8")
    assert text.startswith(f"# {code}: {CODES[code]}\n")


def test_every_page_has_a_code() -> None:
    pages = {path.stem for path in (ROOT / "docs" / "errors").glob("PM*.md")}
    assert pages == set(CODES)


def test_every_code_in_the_sources_is_in_the_catalogue_and_the_other_way_round() -> None:
    sources = [path for path in (ROOT / "controller").rglob("*.py") if path.name != "catalogue.py"]
    used = {code for path in sources for code in re.findall(r'"(PM\d{3})"', path.read_text("utf-8"))}
    assert used == set(CODES)

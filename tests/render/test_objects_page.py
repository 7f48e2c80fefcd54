"""The page of objects names every kind and every field that is written."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from controller.model.objects import APPLY_ORDER

pytestmark = pytest.mark.pure
ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reference" / "objects.md").read_text()
NAMED = {word for span in re.findall(r"`([^`]+)`", PAGE) for word in re.findall(r"\w+", span)}
OBJECTS = [
    obj
    for name in ("kubernetes", "envoy", "embedded")
    for obj in yaml.safe_load_all((Path(__file__).parent / "golden" / f"{name}.yaml").read_text())
]


def fields(obj: dict[str, Any]) -> set[str]:
    """The fields of the object, of its `spec`, of its pods and of their container."""
    spec = obj.get("spec") or {}
    pod = spec.get("template", {}).get("spec", {})
    containers = pod.get("containers", [{}])
    top = {k for k in obj if k not in ("apiVersion", "kind", "metadata", "spec")}
    return top | set(spec) | (set(pod) - {"containers"}) | (set(containers[0]) - {"name"})


@pytest.mark.parametrize("kind", APPLY_ORDER)
def test_every_kind_is_on_the_page(kind: str) -> None:
    assert re.search(rf"^### .*\b{kind}\b", PAGE, re.MULTILINE)
    assert any(obj["kind"] == kind for obj in OBJECTS)


@pytest.mark.parametrize("field", sorted(set().union(*map(fields, OBJECTS))))
def test_every_field_is_on_the_page(field: str) -> None:
    assert field in NAMED

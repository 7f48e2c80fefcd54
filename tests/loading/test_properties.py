"""Whatever a repository holds, the loader answers with diagnostics, the same ones each time."""

from __future__ import annotations

import string
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from declared_trees import files_of, snapshot
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.loading.documents import parse
from controller.loading.explain import explain
from controller.loading.loader import load
from controller.loading.nodes import MapNode, Scalar, plain
from controller.loading.schema import SCHEMAS, is_valid_version, validate
from controller.loading.valohai import read_valohai

pytestmark = pytest.mark.pure

BASE = files_of("valid-full")
PATHS = sorted(path for path in BASE if path != "expected.txt")
_TOKENS = """a|version|endpoints|: |:|- |  |[|]|{|}|,|&a |*a |!!int |'|"|#|null|~|yes|1.10|0777|20181002.0|<<: |? |é|scale"""
TOKENS = st.sampled_from([*_TOKENS.split("|"), "|\n", "\n", "---\n", "\t", "\0", "\u2028"])
YAMLISH = st.lists(TOKENS, max_size=40).map("".join).map(str.encode)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(string.printable, max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["scale", "min", "path", "url", "x"]), inner),
    max_leaves=8,
)


@given(st.sampled_from(PATHS), st.binary(max_size=200) | YAMLISH)
@settings(max_examples=300, deadline=None)
def test_no_bytes_make_the_loader_raise(path: str, data: bytes) -> None:
    given_snapshot = snapshot({**BASE, path: data})
    state = load(given_snapshot)
    assert all(d.location.line >= 0 for d in state.diagnostics)
    explain(given_snapshot, "americas")


YAML_PATHS = sorted(path for path in PATHS if path.endswith(".yaml"))


def with_changes(value: Any, choose: Callable[[int], int], other: Any) -> Any:
    """A copy of a document in which one value, somewhere, is another one."""
    if isinstance(value, (dict, list)) and value and choose(4):
        keys = list(value) if isinstance(value, dict) else list(range(len(value)))
        key = keys[choose(len(keys))]
        changed = dict(value) if isinstance(value, dict) else list(value)
        changed[key] = with_changes(value[key], choose, other)
        return changed
    return other


@given(st.data(), st.sampled_from(YAML_PATHS), VALUES)
@settings(max_examples=400, deadline=None)
def test_no_wrong_value_makes_the_loader_raise(data: st.DataObject, path: str, other: object) -> None:
    changed = with_changes(yaml.safe_load(BASE[path]), lambda n: data.draw(st.integers(0, n - 1)), other)
    given_snapshot = snapshot({**BASE, path: yaml.safe_dump(changed).encode()})
    load(given_snapshot)
    explain(given_snapshot, "americas")


@given(st.sampled_from(SCHEMAS), VALUES)
@settings(max_examples=200, deadline=None)
def test_no_value_makes_a_schema_raise(name: str, value: object) -> None:
    validate(name, repr(value).encode())


@given(st.binary(max_size=300) | YAMLISH)
@settings(max_examples=300, deadline=None)
def test_no_bytes_make_a_reader_raise(data: bytes) -> None:
    document = parse(data)
    plain(document.root)
    is_valid_version(data)
    read_valohai(data, "valohai.yaml")


@given(st.text(string.ascii_letters + string.digits + "._-", min_size=1, max_size=20))
def test_a_plain_scalar_keeps_its_text(text: str) -> None:
    root = parse(f"a: {text}\n".encode()).root
    if isinstance(root, MapNode) and isinstance(root.get("a"), Scalar):
        node = root.get("a")
        assert isinstance(node, Scalar)
        assert node.text == text


@given(st.permutations(sorted(BASE)))
@settings(max_examples=20, deadline=None)
def test_the_order_of_files_is_irrelevant(order: list[str]) -> None:
    assert load(snapshot({path: BASE[path] for path in order})) == load(snapshot(BASE))

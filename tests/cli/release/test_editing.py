"""One value of a YAML file is edited, and everything else stays as it was, to the byte."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controller.cli.editing import flow, with_value
from controller.loading.documents import parse
from controller.loading.nodes import plain
from controller.model.errors import Stalled

pytestmark = pytest.mark.pure


@pytest.mark.parametrize(
    ("before", "path", "value", "after"),
    [
        ("version: v1   # stable\n", ["version"], "v2", 'version: "v2"   # stable\n'),
        ("# top\n\nversion: 'v1'\n# end\n", ["version"], "v2", '# top\n\nversion: "v2"\n# end\n'),
        ("version: 20181002.10", ["version"], "20181003.0", 'version: "20181003.0"'),
        ("a: 1\r\nb: 2\r\n", ["enabled"], False, "a: 1\r\nb: 2\r\nenabled: false\r\n"),
        ("{}\n", ["enabled"], False, "{enabled: false}\n"),
        ("{a: 1}  # all\n", ["enabled"], False, "{a: 1, enabled: false}  # all\n"),
        ("a: 1\n# the rest\n", ["enabled"], False, "a: 1\nenabled: false\n# the rest\n"),
        ("a:\n    b: 1   # one\n\nc: 2\n", ["a", "d"], "x", 'a:\n    b: 1   # one\n    d: "x"\n\nc: 2\n'),
        ("a: |\n  text\nc: 2\n", ["a"], "x", 'a: "x"\nc: 2\n'),
        ("a:\n  b: |\n    text\nc: 2\n", ["a", "d"], 1, "a:\n  b: |\n    text\n  d: 1\nc: 2\n"),
        ("# only this\n", ["files", "e", "f"], {"path": "p"}, '# only this\nfiles:\n  e:\n    f: {path: "p"}\n'),
        ("a:\n- 1\n- 2\nb: 3\n", ["a"], ["x"], 'a: ["x"]\nb: 3\n'),
        ("a:\n  # why\n  b: 1 # one\n\nc: 2\n", ["a"], ["x"], 'a: ["x"] # one\n\nc: 2\n'),
        ("enabled: false", ["x"], "y", 'enabled: false\nx: "y"\n'),
        ("files: {e: {f: {path: a}}}\n", ["files", "e", "g"], {"path": "b"}, 'files: {e: {f: {path: a}, g: {path: "b"}}}\n'),
    ],
)
def test_only_the_value_changes(before: str, path: list[str], value: object, after: str) -> None:
    assert with_value(before.encode(), path, value, file="f.yaml").decode() == after


@pytest.mark.parametrize(
    "text",
    ["files:\n", "- a\n", "files: &f {a: 1}\nlast: *f\n", "just text\n"],
)
def test_what_cannot_be_said_safely_is_refused_with_the_line_to_write(text: str) -> None:
    with pytest.raises(Stalled) as refused:
        with_value(text.encode(), ["files", "e"], "x", file="f.yaml")
    assert "f.yaml" in refused.value.message


def test_a_file_that_is_no_yaml_is_refused_with_its_place() -> None:
    with pytest.raises(Stalled, match=r"f\.yaml:\d"):
        with_value(b"a: 1\nb: [\n", ["c"], "x", file="f.yaml")


_scalars = st.text("ab é:#{}[],'\"\\\n\t-&*!|>%@`~\u2028", max_size=6) | st.integers(-99, 99) | st.booleans()
_keys = st.text("abcdefgh", min_size=1, max_size=3)
_values = st.recursive(
    _scalars, lambda inner: st.dictionaries(_keys, inner, max_size=3) | st.lists(inner, max_size=3), max_leaves=6
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(_keys, _values, max_size=4), _keys, _values, st.booleans())
def test_an_edit_says_what_was_meant_or_is_refused(document: dict[str, object], key: str, value: object, lines: bool) -> None:
    text = "".join(f"{json.dumps(k)}: {flow(v)}\n" for k, v in document.items()) if lines else flow(document)
    edited = with_value(text.encode(), [key], value, file="f.yaml")
    assert plain(parse(edited).root) == plain(parse(flow({**document, key: value}).encode()).root)

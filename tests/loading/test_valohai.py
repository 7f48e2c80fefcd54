"""Real and official `valohai.yaml` files get the verdict that Valohai's own linter gives to their endpoints."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from controller.loading.valohai import join_command, read_valohai

pytestmark = pytest.mark.pure

FOLDER = Path(__file__).parents[1] / "data" / "valohai-yaml"
EXPECTED: dict[str, dict[str, Any]] = json.loads((FOLDER / "expected.json").read_text("utf-8"))["files"]
NOT_YAML = "invalid/invalid-YAML-indentation.yaml"


def path_of(name: str) -> Path:
    return FOLDER / name if "/" in name else FOLDER / "real" / name


def test_every_file_has_an_expectation() -> None:
    assert {path_of(name) for name in EXPECTED} == set(FOLDER.rglob("*.yaml"))


@pytest.mark.parametrize("name", sorted(set(EXPECTED) - {NOT_YAML}))
def test_verdict_on_endpoints(name: str) -> None:
    endpoints, diagnostics = read_valohai(path_of(name).read_bytes(), name)
    expected = EXPECTED[name]
    assert (not any(d.is_error for d in diagnostics)) is expected["endpoints_schema_ok"], diagnostics
    if expected["endpoints_schema_ok"]:
        assert list(endpoints) == expected["endpoints"]
    else:
        assert len(diagnostics) == len(expected["endpoints"])


def test_a_file_that_is_not_yaml_is_an_error() -> None:
    endpoints, diagnostics = read_valohai(path_of(NOT_YAML).read_bytes(), "valohai.yaml")
    assert not endpoints
    assert [(d.code, d.location.line) for d in diagnostics] == [("PM101", 3)]


def test_a_whole_endpoint_is_read() -> None:
    endpoints, _ = read_valohai((FOLDER / "valid" / "endpoint-example.yaml").read_bytes(), "valohai.yaml")
    assert endpoints["server-endpoint"].port == 1453
    assert endpoints["wsgi-endpoint"].port == 8000
    assert endpoints["wsgi-endpoint"].files[0].path == "model.pb"
    assert endpoints["limited-endpoint"].command == "python run_server.py"
    assert endpoints["limited-endpoint"].resources == {"cpu": {"min": 0.1, "max": 1}, "memory": {"min": 50, "max": 100}}
    assert endpoints["accelerated-endpoint"].node_selector == "accelerator=tesla-v100"
    assert endpoints["tolerant-endpoint"].tolerations == (
        {"key": "key1", "operator": "Equal", "value": "value1", "effect": "NoSchedule"},
    )
    assert str(endpoints["wsgi-endpoint"].location) == "valohai.yaml:8:11"


@pytest.mark.parametrize(
    ("commands", "script"),
    [
        (["foo"], "foo"),
        (["foo", " ", "bar"], "foo && bar"),
        (["#!/bin/sh", "foo", " ", "bar"], "#!/bin/sh\nfoo && bar"),
        (["#!/bin/sh\nfoo", " ", "bar"], "#!/bin/sh\nfoo && bar"),
        ([], ""),
    ],
)
def test_commands_are_joined_as_valohai_joins_steps(commands: list[str], script: str) -> None:
    assert join_command(commands) == script


ENDPOINT = "- endpoint:\n    name: ep\n    image: python\n    server-command: run\n"


@pytest.mark.parametrize(
    ("text", "code", "line"),
    [
        ("a: 1\n", "PM402", 1),
        ("", "PM402", 0),
        ("- endpoint:\n  name: ep\n", "PM403", 1),
        (ENDPOINT + ENDPOINT, "PM404", 6),
        (ENDPOINT + "    wsgi: a:b\n", "PM405", 5),
        ("- endpoint: {name: ep, image: python}\n", "PM405", 1),
        ("- endpoint: {name: ep, image: python, server-command: ' '}\n", "PM405", 1),
        (ENDPOINT + "    port: 8000.5\n", "PM203", 5),
        (ENDPOINT + "    port: '8000'\n", "PM203", 5),
        (ENDPOINT + "    port: 80\n", "PM204", 5),
        (ENDPOINT + "    image: again\n", "PM104", 5),
        (ENDPOINT + "    resources: {cpu: {min: 2, max: 1}}\n", "PM206", 5),
        (ENDPOINT + "    resources: {cpu: 1}\n", "PM203", 5),
        (ENDPOINT + "    files: [{name: m, path: ../m}]\n", "PM406", 5),
        (ENDPOINT + "    files: [{name: m, path: /m}]\n", "PM406", 5),
        (ENDPOINT + "    files: [{name: m, path: a}, {name: n, path: a/b}]\n", "PM406", 5),
        (ENDPOINT + "    files: [{name: m, path: a}, {name: m, path: b}]\n", "PM406", 5),
        (ENDPOINT + "    files: [{name: m, path: valohai-metadata.json}]\n", "PM406", 5),
        (ENDPOINT + "    tolerations: [{}]\n", "PM202", 5),
        (ENDPOINT + "    replicas: 3\n", "PM201", 5),
        (ENDPOINT.replace("ep", "ends-with-"), "PM204", 2),
    ],
)
def test_what_is_wrong_has_a_code_a_place_and_a_hint(text: str, code: str, line: int) -> None:
    _, diagnostics = read_valohai(text.encode(), "valohai.yaml")
    assert [(d.code, d.location.line) for d in diagnostics] == [(code, line)]
    assert diagnostics[0].hint


def test_other_items_may_be_wrong() -> None:
    text = "- step: {name: a, name: b, command: 3}\n- 7\n- definitions: &d {image: python}\n" + ENDPOINT
    endpoints, diagnostics = read_valohai(text.encode(), "valohai.yaml")
    assert list(endpoints) == ["ep"]
    assert diagnostics == ()


def test_merge_keys_work_as_in_valohai() -> None:
    text = "- definitions: &d {image: python, server-command: run}\n- endpoint: {<<: *d, name: ep, image: other}\n"
    endpoints, _ = read_valohai(text.encode(), "valohai.yaml")
    assert (endpoints["ep"].image, endpoints["ep"].command) == ("other", "run")

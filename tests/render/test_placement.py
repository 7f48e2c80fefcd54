"""Valohai's spelling of resources and nodes in the API server's own."""

from __future__ import annotations

from typing import Any

import pytest

from controller.model.declared import EndpointDefinition, EndpointSettings
from controller.render import quantity
from controller.render.placement import placement, resources
from controller.render.routing import duration

pytestmark = pytest.mark.pure


@pytest.mark.parametrize(
    ("cores", "printed"),
    [(0.1, "100m"), (0.5, "500m"), (1, "1"), (1.0, "1"), (1.5, "1500m"), (0.0001, "1m"), (0, "0"), (1000, "1k")],
)
def test_cpu(cores: float, printed: str) -> None:
    assert quantity.cpu(cores) == printed


@pytest.mark.parametrize(
    ("amount", "printed"),
    [(512, "512M"), (1000, "1G"), (1500, "1500M"), (0.5, "500k"), (2_000_000, "2T"), (0, "0"), (1e-7, "1")],
)
def test_megabytes(amount: float, printed: str) -> None:
    assert quantity.megabytes(amount) == printed


@pytest.mark.parametrize(("number", "printed"), [(1, "1"), (1.0, "1"), (1.5, "2"), (8, "8")])
def test_devices_are_whole(number: float, printed: str) -> None:
    assert quantity.count(number) == printed


def made(**changes: Any) -> EndpointDefinition:
    return EndpointDefinition("predict", "python:3.11", command="run", **changes)


def test_min_is_requested_max_is_the_limit_and_devices_are_both() -> None:
    declared = {"cpu": {"min": 0.5, "max": 2}, "memory": {"max": 2000}, "devices": {"nvidia.com/gpu": 2}}
    assert resources(made(resources=declared), EndpointSettings()) == {
        "limits": {"cpu": "2", "memory": "2G", "nvidia.com/gpu": "2"},
        "requests": {"cpu": "500m", "nvidia.com/gpu": "2"},
    }


def test_nothing_declared_is_nothing_rendered() -> None:
    assert resources(made(), EndpointSettings()) == {}
    assert placement(made(), EndpointSettings()) == {}


def test_a_setting_replaces_the_definitions_item_whole() -> None:
    definition = made(resources={"cpu": {"min": 1}, "memory": {"min": 500}}, node_selector="pool=gpu")
    settings = EndpointSettings(resources={"ephemeral-storage": {"min": 100}}, node_selector="zone = a ")
    assert resources(definition, settings) == {"requests": {"ephemeral-storage": "100M"}}
    assert placement(definition, settings) == {"nodeSelector": {"zone": "a"}}


@pytest.mark.parametrize(
    ("declared", "kept"),
    [
        ({"key": "gpu", "operator": "", "value": ""}, {"key": "gpu"}),
        ({"key": "gpu", "operator": "Equal", "value": "a"}, {"key": "gpu", "operator": "Equal", "value": "a"}),
        ({}, {"operator": "Exists"}),
        ({"effect": "NoExecute"}, {"effect": "NoExecute", "operator": "Exists"}),
    ],
)
def test_tolerations(declared: dict[str, str], kept: dict[str, str]) -> None:
    assert placement(made(tolerations=(declared,)), EndpointSettings()) == {"tolerations": [kept]}


@pytest.mark.parametrize(
    ("seconds", "printed"),
    [
        (60, "60s"),
        (120.0, "120s"),
        (1.5, "1s500ms"),
        (0.5, "500ms"),
        (100_000.5, "27h2800s500ms"),
        (0.0001, "1ms"),
        (99_999, "99999s"),
        (360_000, "100h"),
    ],
)
def test_durations(seconds: float, printed: str) -> None:
    assert duration(seconds) == printed

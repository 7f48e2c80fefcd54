"""Twice as many versions cost twice as much: counted in the interpreter's instructions, which no busy machine changes."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from bench.declared_repository import Shape, write_repository
from controller.loading.loader import load
from controller.model.desired import DesiredState
from controller.model.observed import ObservedState
from controller.model.record import UnitRecord
from controller.plan.planner import plan
from controller.render.images import image_spec
from controller.render.renderer import render
from controller.source.local import WorkingDirectory
from tests.engine.replicas import BuiltImages
from tests.engine.settling import PROFILE, Publication, published

pytestmark = pytest.mark.system

SMALL = {"in many deployments": Shape(40, 2), "in one deployment": Shape(1, 200)}
MOST = 2.2
"""Instructions for twice the versions; what does not grow at all makes it less than 2."""


@pytest.fixture(params=SMALL.values(), ids=SMALL.keys())
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Publication, Publication]:
    """The same shape once and twice as large."""
    small: Shape = request.param
    large = Shape(small.deployments * 2, small.each) if small.deployments > 1 else Shape(1, small.each * 2)
    return read(tmp_path / "small", small), read(tmp_path / "large", large)


def test_loading_grows_with_the_versions(pair: tuple[Publication, Publication]) -> None:
    small, large = (instructions(partial(load, publication.snapshot)) for publication in pair)
    assert large <= small * MOST


def test_rendering_grows_with_the_versions(pair: tuple[Publication, Publication]) -> None:
    small, large = (instructions(partial(rendered, publication)) for publication in pair)
    assert large <= small * MOST


def test_planning_grows_with_the_versions(pair: tuple[Publication, Publication]) -> None:
    small, large = (instructions(partial(planned_twice, rendered(publication))) for publication in pair)
    assert large <= small * MOST


def read(directory: Path, shape: Shape) -> Publication:
    source = WorkingDirectory(write_repository(directory, shape), state=directory / "state", committed=True)
    try:
        return published(source)
    finally:
        source.close()


def rendered(publication: Publication) -> list[DesiredState]:
    declared, registry = publication.declared, BuiltImages()
    versions = [served.version for found in declared.deployments.values() for served in found.versions.values()]
    specs = [image_spec(declared, version, endpoint, PROFILE) for version in versions for endpoint in version.endpoints]
    images = {spec.key: registry.find(spec) for spec in specs}
    return [render(declared, name, PROFILE, images, snapshot=publication.snapshot) for name in declared.deployments]


def planned_twice(desired: list[DesiredState]) -> None:
    """Everything is made, then nothing of it is ready yet."""
    for state in desired:
        first = plan(state, ObservedState(), UnitRecord(state.unit), 0.0)
        objects = {change.key: change.desired for change in first.changes if change.desired}
        record = UnitRecord(state.unit, inventory=first.inventory, facts=first.facts, resource_version="1")
        plan(state, ObservedState(objects=objects), record, 1.0)


def instructions(work: Callable[[], object]) -> int:
    """How many bytecode instructions the work executes."""
    count = 0

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal count
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        count += event == "opcode"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return count

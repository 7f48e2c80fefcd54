"""Who waits for an image is told when its build has ended, however it ended, and a passing failure is tried again."""

from __future__ import annotations

import threading
from typing import cast

import pytest

from controller.engine.background import Background
from controller.engine.builds import Builds
from controller.model.identity import UnitKey
from controller.model.images import BuildFailure, Image, ImageSpec
from controller.model.ports import CodeReader, Progress
from controller.model.source import CodeTree
from tests.embedded.gateway.servers import eventually

pytestmark = pytest.mark.contract

SPEC = ImageSpec("acme/mnist", "python:3.11", "linux/amd64", CodeTree("r", ".", ()), "python serve.py", 8000)
CODE = cast(CodeReader, None)
UNITS = [UnitKey("acme", "mnist", name) for name in ("americas", "europe")]


class Slow:
    """Builds that end when they are let, with `fault` if there is one."""

    def __init__(self, fault: Exception | None = None) -> None:
        self.fault, self.go = fault, threading.Event()

    def find(self, spec: ImageSpec) -> Image | None:
        assert spec is SPEC
        return None

    def build(self, spec: ImageSpec, code: CodeReader, progress: Progress) -> Image:
        assert (code, bool(progress)) == (CODE, True)
        assert self.go.wait(30.0)
        if self.fault:
            raise self.fault
        return Image(spec.key, "reference", "digest")


def test_every_unit_is_told_once_however_often_it_asked() -> None:
    builder, told, builds = Slow(), list[UnitKey](), Builds(lambda *_: None)
    try:
        for unit in UNITS * 3:
            builds.request(SPEC, builder, CODE, unit, told.append)
        builder.go.set()
        assert eventually(lambda: len(told) >= len(UNITS))
        assert sorted(told) == UNITS
        assert isinstance(builds.state(SPEC, builder), Image)
    finally:
        builds.close()


def test_a_fault_in_a_build_is_a_failure_that_is_tried_again() -> None:
    builder, told, builds = Slow(ZeroDivisionError("ours")), threading.Event(), Builds(lambda *_: None)
    builder.go.set()
    try:
        builds.request(SPEC, builder, CODE, UNITS[0], lambda _unit: told.set())
        assert told.wait(30.0)
        failure = builds.state(SPEC, builder)
        assert isinstance(failure, BuildFailure)
        assert (failure.permanent, failure.message) == (False, "ZeroDivisionError: ours")
    finally:
        builds.close()


def test_who_is_told_of_a_job_may_submit_it_again_at_once() -> None:
    jobs, runs, done = Background("test", 1), list[int](), threading.Event()

    def again() -> None:
        if len(runs) == 3:
            done.set()
        else:
            assert jobs.submit("key", lambda: runs.append(1), again)

    try:
        jobs.submit("key", lambda: runs.append(1), again)
        assert done.wait(30.0)
    finally:
        jobs.close()

"""Who waits for an image is told when its build has ended, however it ended, and a passing failure is tried again."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import cast

import pytest

from controller.engine import background
from controller.engine.background import Background
from controller.engine.builds import Builds
from controller.model.errors import Stalled, Unavailable
from controller.model.identity import UnitKey
from controller.model.images import BuildFailure, BuildTerms, Image, ImageSpec
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
        assert spec == SPEC
        return None

    def build(self, spec: ImageSpec, code: CodeReader, progress: Progress) -> Image:
        assert (code, bool(progress)) == (CODE, True)
        assert self.go.wait(60.0)
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
        assert told.wait(60.0)
        failure = builds.state(SPEC, builder)
        assert isinstance(failure, BuildFailure)
        assert (failure.permanent, failure.message) == (False, "ZeroDivisionError: ours")
    finally:
        builds.close()


def test_the_log_says_whose_image_failed_and_what_to_do(caplog: pytest.LogCaptureFixture) -> None:
    builder, told, builds = Slow(Stalled("a secret", hint="take it out")), threading.Event(), Builds(lambda *_: None)
    builder.go.set()
    try:
        builds.request(replace(SPEC, name="v1/digits"), builder, CODE, UNITS[0], lambda _unit: told.set())
        assert told.wait(60.0)
    finally:
        builds.close()
    assert f"image {SPEC.tag} of v1/digits in acme/mnist: a secret\n  hint: take it out" in caplog.messages


def test_a_failure_holds_only_while_the_terms_of_its_build_are_the_same() -> None:
    builder, told, builds = Slow(Stalled("a secret")), list[UnitKey](), Builds(lambda *_: None)
    builder.go.set()
    allowed = replace(SPEC, terms=BuildTerms(("*.pem",)))
    try:
        builds.request(SPEC, builder, CODE, UNITS[0], told.append)
        assert eventually(lambda: bool(told))
        assert isinstance(builds.state(SPEC, builder), BuildFailure)
        assert builds.state(allowed, builder) is None, "it has to be tried again"
        builder.fault = None
        builds.request(allowed, builder, CODE, UNITS[0], told.append)
        assert eventually(lambda: len(told) == 2)
        assert isinstance(builds.state(SPEC, builder), Image)
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
        assert done.wait(60.0)
    finally:
        jobs.close()


class Long(Slow):
    """Builds for as long as nobody objects to its progress."""

    def __init__(self) -> None:
        super().__init__()
        self.ended = threading.Event()

    def build(self, spec: ImageSpec, code: CodeReader, progress: Progress) -> Image:
        try:
            while not self.ended.wait(0.001):
                progress(f"installing for {spec.repository} from {code}", 0, 0)
                self.go.set()
        finally:
            self.ended.set()
        raise AssertionError("nobody objected")


def test_a_build_under_way_has_ended_when_the_builds_are_closed() -> None:
    builder, builds = Long(), Builds(lambda *_: None)
    try:
        builds.request(SPEC, builder, CODE, UNITS[0], lambda _unit: None)
        assert builder.go.wait(60.0)
        builds.close()
        assert builder.ended.is_set()
    finally:
        builder.ended.set()
        builds.close()


def test_jobs_that_never_began_are_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "ENDING", threading.TIMEOUT_MAX)
    jobs, began, go = Background("test", 1), threading.Event(), threading.Event()

    def runs() -> None:
        began.set()
        while not jobs.is_closed():
            go.wait(0.001)

    jobs.submit(1, runs, lambda: None)
    jobs.submit(2, lambda: pytest.fail("it was cancelled"), lambda: None)
    assert began.wait(60.0)
    jobs.close()


class Places(Slow):
    """Has what is in `there`, unless it cannot be reached."""

    def __init__(self) -> None:
        super().__init__()
        self.there: dict[str, Image] = {}
        self.is_down = False

    def find(self, spec: ImageSpec) -> Image | None:
        if self.is_down:
            raise Unavailable("no answer")
        return self.there.get(spec.repository)

    def build(self, spec: ImageSpec, code: CodeReader, progress: Progress) -> Image:
        del code, progress
        self.there[spec.repository] = image = Image(spec.key, f"{spec.repository}@sha256:1", "sha256:1")
        return image


def test_equal_images_of_two_repositories_are_looked_for_and_built_in_both() -> None:
    elsewhere = replace(SPEC, repository="acme/other")
    builder, told, builds = Places(), list[UnitKey](), Builds(lambda *_: None)
    assert elsewhere.key == SPEC.key
    try:
        for number, spec in enumerate((SPEC, elsewhere), 1):
            assert builds.state(spec, builder) is None
            builds.request(spec, builder, CODE, UNITS[0], told.append)
            assert eventually(lambda wanted=number: len(told) == wanted)
            assert cast(Image, builds.state(spec, builder)).reference == f"{spec.repository}@sha256:1"
    finally:
        builds.close()


def test_a_unit_that_waits_on_two_targets_is_told_on_both() -> None:
    builder, here, there = Slow(), list[UnitKey](), list[UnitKey]()
    builds = Builds(lambda *_: None)
    try:
        for told in (here, there):
            builds.request(SPEC, builder, CODE, UNITS[0], told.append)
        builder.go.set()
        assert eventually(lambda: here and there)
        assert (here, there) == ([UNITS[0]], [UNITS[0]])
    finally:
        builds.close()


def test_a_person_has_what_was_there_looked_for_again_and_no_silence_makes_it_missing() -> None:
    builder, builds = Places(), Builds(lambda *_: None)
    image = builder.build(SPEC, CODE, lambda *_: None)
    try:
        assert builds.state(SPEC, builder) == image
        builder.there.clear()
        assert builds.state(SPEC, builder) == image, "nobody looks at what is known"
        builder.is_down = True
        builds.look_again()
        assert builds.state(SPEC, builder) == image
        builder.is_down = False
        assert builds.state(SPEC, builder) is None
    finally:
        builds.close()


def test_a_place_for_images_that_cannot_be_read_is_that_images_trouble_alone() -> None:
    class Unreadable(Slow):
        def find(self, spec: ImageSpec) -> Image | None:
            raise Unavailable(f"{spec.repository}: permission denied")

    builds = Builds(lambda *_: None)
    try:
        state = builds.state(SPEC, Unreadable())
        assert isinstance(state, BuildFailure)
        assert not state.permanent
        assert "permission denied" in state.message
    finally:
        builds.close()


class Registry:
    """Has an image until somebody deletes it; may be out of reach."""

    def __init__(self) -> None:
        self.image: Image | None = Image(SPEC.key, "reference", "digest")
        self.looks, self.is_down = 0, False

    def find(self, spec: ImageSpec) -> Image | None:
        self.looks += 1
        if self.is_down:
            raise Unavailable("the registry does not answer")
        return self.image

    def build(self, spec: ImageSpec, code: CodeReader, progress: Progress) -> Image:
        raise AssertionError("nobody asked for a build")


def test_an_image_that_nobody_asked_for_in_a_while_is_looked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process may have led meanwhile, and cleaned up."""
    builds, registry = Builds(lambda *_: None), Registry()
    kept = registry.image
    try:
        assert [builds.state(SPEC, registry) for _ in range(3)] == [kept] * 3
        assert registry.looks == 1
        monkeypatch.setattr("controller.engine.builds.TRUSTED", -1.0)
        registry.is_down = True
        assert builds.state(SPEC, registry) == kept, "what cannot be looked for counts as it was"
        monkeypatch.setattr("controller.engine.builds.TRUSTED", 1200.0)
        registry.is_down, registry.image = False, None
        assert builds.state(SPEC, registry) is None, "it stays in doubt until it was looked for"
    finally:
        builds.close()


def test_an_image_that_was_deleted_is_looked_for_again_and_others_are_not() -> None:
    builds, registry = Builds(lambda *_: None), Registry()
    other = replace(SPEC, repository="acme/other")
    try:
        for spec in (SPEC, other):
            assert builds.state(spec, registry)
        builds.doubt(SPEC.repository, (SPEC.tag, "v-unknown"))
        registry.image = None
        assert builds.state(other, registry) is not None
        assert builds.state(SPEC, registry) is None
    finally:
        builds.close()

"""Is an image there, and if not, have it built: once per repository and key, whoever asks."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from controller.engine.background import Background
from controller.engine.steps import Observer, Step, unobserved
from controller.model.errors import PointsmanError, Stalled, Transient
from controller.model.identity import UnitKey
from controller.model.images import BuildFailure, BuildTerms, Image, ImageSpec, ImageState
from controller.model.ports import CodeReader, ImageBuilder, Progress

RETRY = 15.0
"""Seconds until a build that failed for a passing reason is tried again."""
TRUSTED = 1200.0
"""Seconds: an image that nobody asked for so long may have been cleaned up by whoever led meanwhile. Passes ask more often."""
_log = logging.getLogger(__name__)

_Place = tuple[str, str]
"""Repository and key: equal images of two projects or registries are pulled from different places."""


@dataclass(frozen=True, slots=True)
class _Failed:
    """A failure that stays until a moment, and while the terms are as they were; None: as they may be."""

    failure: BuildFailure
    until: float
    terms: BuildTerms | None = None

    def holds(self, spec: ImageSpec) -> bool:
        return time.monotonic() < self.until and self.terms in (None, spec.terms)


class Builds:
    """What is known of each image. "It exists" is remembered while it is asked for, "it is missing" never."""

    def __init__(self, progress: Progress, observer: Observer = unobserved, workers: int = 2) -> None:
        self._jobs = Background("build", workers)
        self._lock = threading.Lock()
        self._built: dict[_Place, Image] = {}
        self._doubted: set[_Place] = set()
        self._asked: dict[_Place, float] = {}
        self._failed: dict[_Place, _Failed] = {}
        self._waiting: dict[_Place, dict[tuple[UnitKey, Callable[[UnitKey], None]], None]] = defaultdict(dict)
        self._progress = progress
        self._observer = observer

    def state(self, spec: ImageSpec, builder: ImageBuilder) -> ImageState:
        """Built, failed, or None: missing, and maybe being built. What waits for its build is not looked for meanwhile."""
        place = _place(spec)
        with self._lock:
            if self._is_long_ago(place):
                self._doubted.add(place)
            known, is_doubted = self._built.get(place), place in self._doubted
            failed = self._failed.get(place)
        if known and not is_doubted:
            return known
        if failed and failed.holds(spec):
            return failed.failure
        if self._jobs.is_running(place):
            return None
        try:
            found = builder.find(spec)
        except PointsmanError as error:
            message = f"whether it is there cannot be said: {error.message}"
            return known or _failure(spec, message, error.hint, permanent=False)
        self._saw(place, found)
        return found

    def request(
        self, spec: ImageSpec, builder: ImageBuilder, code: CodeReader, unit: UnitKey, then: Callable[[UnitKey], None]
    ) -> None:
        """Build in the background; each `then` is called once for every unit that waits, when the state may have changed."""
        place = _place(spec)
        with self._lock:
            self._waiting[place][unit, then] = None
        self._jobs.submit(place, lambda: self._build(spec, builder, code), lambda: self._tell(place))

    def failures(self) -> tuple[BuildFailure, ...]:
        """Why images are missing that are not tried again at the moment."""
        now = time.monotonic()
        with self._lock:
            return tuple(failed.failure for failed in self._failed.values() if now < failed.until)

    def take_failures(self, found: Iterable[BuildFailure]) -> None:
        """What the process that builds says of its failures, in place of what was known."""
        with self._lock:
            self._failed = {(failure.repository, failure.key): _Failed(failure, math.inf) for failure in found}

    def look_again(self) -> None:
        """A person asked for another try: what failed may be mended, and what was there may be lost."""
        with self._lock:
            self._failed, self._doubted = {}, set(self._built)

    def doubt(self, repository: str, tags: Iterable[str]) -> None:
        """These images of a repository were deleted: whoever needs one looks again."""
        keys = {tag.removeprefix("v-") for tag in tags}
        with self._lock:
            self._doubted |= {place for place in self._built if place[0] == repository and place[1] in keys}

    def close(self) -> None:
        """Begin no more builds; one under way ends when it next tells its progress, and is waited for."""
        self._jobs.close()

    def _build(self, spec: ImageSpec, builder: ImageBuilder, code: CodeReader) -> None:
        self._observer(Step.BUILD_STARTED)
        try:
            image = builder.build(spec, code, self._went_on)
        except PointsmanError as error:
            hint = f"\n  hint: {error.hint}" if error.hint else ""
            _log.warning("image %s of %s in %s: %s%s", spec.tag, spec.name, spec.repository, error.message, hint)
            self._fail(spec, _failure(spec, error.message, error.hint, permanent=isinstance(error, Stalled)))
        except Exception as error:
            # A fault of ours in one image must be told to whoever waits for it, and end no other build.
            _log.exception("image %s of %s in %s", spec.tag, spec.name, spec.repository)
            self._fail(spec, _failure(spec, f"{type(error).__name__}: {error}", permanent=False))
        else:
            self._saw(_place(spec), image)
            self._observer(Step.BUILD_FINISHED)

    def _is_long_ago(self, place: _Place) -> bool:
        """Whether nobody asked for the place lately; it is asked for now."""
        now = time.monotonic()
        last, self._asked[place] = self._asked.get(place, now), now
        return now - last > TRUSTED

    def _saw(self, place: _Place, image: Image | None) -> None:
        with self._lock:
            self._doubted.discard(place)
            self._built.pop(place, None)
            if image:
                self._built[place] = image
                self._failed.pop(place, None)

    def _went_on(self, what: str, done: int, total: int) -> None:
        if self._jobs.is_closed():
            raise Transient("its build was given up, because its controller ended")
        self._progress(what, done, total)

    def _fail(self, spec: ImageSpec, failure: BuildFailure) -> None:
        with self._lock:
            until = math.inf if failure.permanent else time.monotonic() + RETRY
            self._failed[_place(spec)] = _Failed(failure, until, spec.terms)

    def _tell(self, place: _Place) -> None:
        with self._lock:
            waiting = self._waiting.pop(place, {})
        for unit, then in waiting:
            then(unit)


def _place(spec: ImageSpec) -> _Place:
    return spec.repository, spec.key


def _failure(spec: ImageSpec, message: str, hint: str | None = None, *, permanent: bool) -> BuildFailure:
    return BuildFailure(spec.key, message, hint, permanent, spec.repository)

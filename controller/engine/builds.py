"""Is an image there, and if not, have it built: once per key, whoever asks."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable

from controller.engine.background import Background
from controller.engine.steps import Observer, Step, unobserved
from controller.model.errors import PointsmanError, Stalled, Transient
from controller.model.identity import UnitKey
from controller.model.images import BuildFailure, Image, ImageSpec, ImageState
from controller.model.ports import CodeReader, ImageBuilder, Progress

RETRY = 15.0
"""Seconds until a build that failed for a passing reason is tried again."""
_log = logging.getLogger(__name__)


class Builds:
    """What is known of each image key. "It exists" is remembered for ever, "it is missing" never."""

    def __init__(self, progress: Progress, observer: Observer = unobserved, workers: int = 2) -> None:
        self._jobs = Background("build", workers)
        self._lock = threading.Lock()
        self._built: dict[str, Image] = {}
        self._failed: dict[str, tuple[BuildFailure, float]] = {}
        self._waiting: dict[str, dict[UnitKey, Callable[[UnitKey], None]]] = defaultdict(dict)
        self._progress = progress
        self._observer = observer

    def state(self, spec: ImageSpec, builder: ImageBuilder) -> ImageState:
        """Built, failed, or None: missing, and maybe being built. What waits for its build is not looked for meanwhile."""
        key = spec.key
        with self._lock:
            known = self._built.get(key)
            failure, until = self._failed.get(key, (None, 0.0))
        if known:
            return known
        if failure and time.monotonic() < until:
            return failure
        if self._jobs.is_running(key):
            return None
        try:
            found = builder.find(spec)
        except PointsmanError as error:
            return BuildFailure(key, f"whether it is there cannot be said: {error.message}", error.hint, permanent=False)
        if found:
            with self._lock:
                self._built[key] = found
        return found

    def request(
        self, spec: ImageSpec, builder: ImageBuilder, code: CodeReader, unit: UnitKey, then: Callable[[UnitKey], None]
    ) -> None:
        """Build in the background; `then` is called once for every unit that waits, when the state may have changed."""
        with self._lock:
            self._waiting[spec.key][unit] = then
        self._jobs.submit(spec.key, lambda: self._build(spec, builder, code), lambda: self._tell(spec.key))

    def failures(self) -> tuple[BuildFailure, ...]:
        """Why images are missing that are not tried again at the moment."""
        now = time.monotonic()
        with self._lock:
            return tuple(failure for failure, until in self._failed.values() if now < until)

    def take_failures(self, found: Iterable[BuildFailure]) -> None:
        """What the process that builds says of its failures, in place of what was known."""
        with self._lock:
            self._failed = {failure.key: (failure, math.inf) for failure in found}

    def forget_failures(self) -> None:
        """A person asked for another try."""
        self.take_failures(())

    def close(self) -> None:
        """Begin no more builds; one under way ends when it next tells its progress, and is waited for."""
        self._jobs.close()

    def _build(self, spec: ImageSpec, builder: ImageBuilder, code: CodeReader) -> None:
        self._observer(Step.BUILD_STARTED)
        try:
            image = builder.build(spec, code, self._went_on)
        except PointsmanError as error:
            _log.warning("image %s: %s", spec.tag, error.message)
            self._fail(BuildFailure(spec.key, error.message, error.hint, isinstance(error, Stalled)))
        except Exception as error:
            # A fault of ours in one image must be told to whoever waits for it, and end no other build.
            _log.exception("image %s", spec.tag)
            self._fail(BuildFailure(spec.key, f"{type(error).__name__}: {error}", permanent=False))
        else:
            with self._lock:
                self._built[spec.key] = image
                self._failed.pop(spec.key, None)
            self._observer(Step.BUILD_FINISHED)

    def _went_on(self, what: str, done: int, total: int) -> None:
        if self._jobs.is_closed():
            raise Transient("its build was given up, because its controller ended")
        self._progress(what, done, total)

    def _fail(self, failure: BuildFailure) -> None:
        with self._lock:
            self._failed[failure.key] = (failure, math.inf if failure.permanent else time.monotonic() + RETRY)

    def _tell(self, key: str) -> None:
        with self._lock:
            waiting = self._waiting.pop(key, {})
        for unit, then in waiting.items():
            then(unit)

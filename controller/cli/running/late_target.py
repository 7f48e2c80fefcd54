"""A target that is opened from a thread of its own, as often as it takes: one dead cluster delays nobody."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable
from contextlib import ExitStack

from controller.engine.retry import backoff, told
from controller.engine.targets import Target
from controller.model.errors import PointsmanError

LONGEST_PAUSE = 60.0
_log = logging.getLogger(__name__)

Open = Callable[[ExitStack], Target]
"""Opens a target; what is to be closed with it goes on the stack, also when it fails."""


class LateTarget:
    """Opens one target and hands it to `opened`; `stop` closes it. `error` says why it is not open yet."""

    def __init__(self, name: str, open_target: Open, opened: Callable[[Target], None]) -> None:
        self.name = name
        self._open_target = open_target
        self._opened = opened
        self._open = ExitStack()
        self._stop = threading.Event()
        self._is_open = False
        self._thread = threading.Thread(target=self._run, name=f"open-{name}", daemon=True)
        self.error: str | None = None

    def start(self) -> None:
        """Begin; returns at once."""
        self._thread.start()

    def give_up(self) -> None:
        """Try no more: a target that opens from now on is closed again, and `opened` is not told."""
        self._stop.set()

    def stop(self) -> None:
        """Try no more, and close what is open."""
        self.give_up()
        if self._thread.is_alive():
            self._thread.join()
        self._open.close()

    @property
    def was_tried(self) -> bool:
        """Whether it is known how it stands with this target."""
        return self._is_open or self.error is not None

    @property
    def is_alive(self) -> bool:
        """Whether it is open or somebody tries."""
        return self._is_open or self._thread.is_alive()

    def _run(self) -> None:
        attempt = 0
        while not self._stop.is_set() and not self._try():
            attempt += 1
            self._stop.wait(backoff(attempt, LONGEST_PAUSE, random.Random()))  # noqa: S311  jitter, no secret

    def _try(self) -> bool:
        with ExitStack() as opened:
            try:
                target = self._open_target(opened)
            except Exception as error:
                # A fault of ours included: this thread is the only one that opens the target.
                self._tell(error)
                return False
            if self._stop.is_set():
                return False
            self._open = opened.pop_all()
        self._is_open, self.error = True, None
        _log.info("target %s is open: %s", self.name, target.profile.url)
        self._opened(target)
        return True

    def _tell(self, error: Exception) -> None:
        """Each reason once, though it lasts for hours."""
        text = told(error)
        if text != self.error:
            expected = isinstance(error, PointsmanError)
            _log.warning("target %s cannot be opened yet: %s", self.name, text, exc_info=None if expected else error)
        self.error = text

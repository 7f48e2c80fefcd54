"""Ctrl-C, SIGTERM and a closed terminal end a serving command once, and never in the middle of starting something."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from controller.cli.exit_codes import INTERRUPTED, TERMINATED

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_STEP = 1.0


class Interruption:
    """The first of the signals unwinds the program; later ones, which come while it ends its processes, do nothing."""

    def __init__(self) -> None:
        self._deferring = False
        self._number = 0

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """A block that an exception out of nowhere would leave half done; the signal takes effect at its end."""
        self._deferring = True
        try:
            yield
        finally:
            self._deferring = False
        if self._number:
            _unwind(self._number)

    def wait(self) -> NoReturn:
        """Until a signal unwinds the program.

        In steps: CPython acts on a signal in the main thread, but one that the kernel gave to another thread does not
        wake a main thread that waits for a lock without a limit.
        """
        never = threading.Event()
        while True:
            never.wait(_STEP)

    def handle(self, number: int, _frame: FrameType | None) -> None:
        """A signal handler."""
        for each in _SIGNALS:
            signal.signal(each, _unheard)  # not SIG_IGN, which processes that are only just started would inherit
        self._number = number
        if not self._deferring:
            _unwind(number)


@contextmanager
def interrupted_once() -> Iterator[Interruption]:
    """Handles the signals while the block runs. Only for the main thread."""
    interruption = Interruption()
    before = {number: signal.signal(number, interruption.handle) for number in _SIGNALS}
    try:
        yield interruption
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _unheard(_number: int, _frame: FrameType | None) -> None:
    """It ends already."""


def _unwind(number: int) -> NoReturn:
    """Not by KeyboardInterrupt: there is nothing to add to what the command says of its end."""
    sys.exit(INTERRUPTED if number == signal.SIGINT else TERMINATED)

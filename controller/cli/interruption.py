"""Ctrl-C, SIGTERM and a closed terminal end a serving command once, and never in the middle of starting something."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from controller.cli.exit_codes import TERMINATED

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


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

    def handle(self, number: int, _frame: FrameType | None) -> None:
        """A signal handler."""
        for each in _SIGNALS:
            signal.signal(each, signal.SIG_IGN)
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


def _unwind(number: int) -> None:
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    sys.exit(TERMINATED)

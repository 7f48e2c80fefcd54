"""Gives back, now and then, the disk of what was built: else it grows until a pod is evicted or the disk is full."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from controller.cli.running.regularly import Regularly

EVERY = 1800.0
"""Seconds between two looks."""

KEPT = 24 * 3600.0
"""Seconds for which what nothing uses stays: a file that the next version needs too is not fetched again."""

_log = logging.getLogger(__name__)


class Cleaning(Regularly):
    """A context manager; inside it, `clean` is called with a time (seconds since the epoch): what is older may go."""

    def __init__(self, clean: Callable[[float], None], *, every: float = EVERY) -> None:
        super().__init__("cleaning", self._clean_up, every)
        self._clean = clean

    def _clean_up(self) -> None:
        try:
            self._clean(time.time() - KEPT)
        except Exception:
            # A fault of ours, in a thread that nobody else would restart: told, and tried again.
            _log.exception("what was built is not cleaned up")

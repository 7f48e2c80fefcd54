"""A look that is taken again and again by a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self


class Regularly:
    """A context manager; inside it, `look` is called every so many seconds, first after that time."""

    def __init__(self, name: str, look: Callable[[], None], every: float) -> None:
        self._look = look
        self._every = every
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stop.set()
        self._thread.join()

    def pause(self) -> float:
        """Seconds until the next look."""
        return self._every

    @property
    def is_ending(self) -> bool:
        """Whether a look that takes its time should end."""
        return self._stop.is_set()

    def _run(self) -> None:
        while not self._stop.wait(self.pause()):
            self._look()

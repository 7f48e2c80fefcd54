"""Builds on a terminal: one bar per thing that takes its time; plain lines elsewhere."""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import Self

from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from controller.cli.output import error_console

_PLAIN_EVERY = 5.0


class BuildProgress:
    """Give `report` to a builder. A context manager, because a terminal's bars must be taken down."""

    def __init__(self) -> None:
        console = error_console()
        self._bars = Progress(
            TextColumn("{task.description}"), BarColumn(30), TimeElapsedColumn(), console=console, transient=True
        )
        self._terminal = console.is_terminal
        self._console = console
        self._lock = threading.Lock()
        self._tasks: dict[str, TaskID] = {}
        self._told: dict[str, float] = {}

    def __enter__(self) -> Self:
        if self._terminal:
            self._bars.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._bars.stop()

    def report(self, what: str, done: int, total: int) -> None:
        """A `Progress` port: called from the building threads."""
        with self._lock:
            if self._terminal:
                self._bar(what, done, total)
            else:
                self._line(what, done, total)

    def _bar(self, what: str, done: int, total: int) -> None:
        task = self._tasks.get(what)
        if task is None:
            task = self._tasks[what] = self._bars.add_task(what, total=total or None)
        if total and done >= total:
            self._bars.remove_task(task)
            del self._tasks[what]
        else:
            self._bars.update(task, completed=done, total=total or None)

    def _line(self, what: str, done: int, total: int) -> None:
        now = time.monotonic()
        finished = bool(total and done >= total)
        if finished or now - self._told.get(what, -_PLAIN_EVERY) >= _PLAIN_EVERY:
            share = f" {100 * done // total} %" if total else ""
            self._console.print(f"build: {what}{share}")
            self._told[what] = now

"""Builds on a terminal: one bar per thing that takes its time; plain lines elsewhere."""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import Self

from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from controller.cli.output import error_console

_PLAIN_EVERY = 5.0
_LONG = "installing requirements"


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
        self._tasks: dict[int, tuple[str, TaskID]] = {}
        self._told: dict[int, tuple[str, float]] = {}

    def __enter__(self) -> Self:
        if self._terminal:
            self._bars.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._terminal:
            self._bars.stop()

    def report(self, what: str, done: int, total: int) -> None:
        """A `Progress` port: called from the building threads, each of which does one thing at a time."""
        with self._lock:
            if self._terminal:
                self._bar(threading.get_ident(), what, done, total)
            else:
                self._line(threading.get_ident(), what, done, total)

    def _bar(self, thread: int, what: str, done: int, total: int) -> None:
        shown, task = self._tasks.get(thread, ("", None))
        finished = bool(total) and done >= total
        if task is not None and (finished or shown != what):
            self._bars.remove_task(task)
            del self._tasks[thread]
            task = None
        if finished:
            return
        if task is None:
            self._tasks[thread] = (what, self._bars.add_task(what, total=total or None, completed=done))
        else:
            self._bars.update(task, completed=done, total=total or None)

    def _line(self, thread: int, what: str, done: int, total: int) -> None:
        """Only what takes its time: the rest is over before its line is read."""
        now = time.monotonic()
        shown, told = self._told.get(thread, ("", now))
        if shown != what:
            told = now - (_PLAIN_EVERY if what == _LONG else 0.0)
        if now - told >= _PLAIN_EVERY:
            share = f" {100 * done // total} %" if total else ""
            self._console.print(f"build: {what}{share}")
            told = now
        self._told[thread] = ("" if total and done >= total else what, told)

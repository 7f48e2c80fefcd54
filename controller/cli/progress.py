"""Builds on a terminal: one bar per thing that takes its time; plain lines elsewhere."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Self

from rich.console import RenderableType
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from controller.cli.output import error_console
from controller.model.errors import Transient

_PLAIN_EVERY = 5.0
_LONG = "installing requirements"


class _Bars(Progress):
    """Without the bars of builds that ended by an error: nobody reports those any more."""

    def get_renderables(self) -> Iterator[RenderableType]:
        fresh = time.monotonic() - _PLAIN_EVERY
        yield self.make_tasks_table([task for task in self.tasks if task.fields["reported"] >= fresh])


class BuildProgress:
    """Give `report` to a builder. A context manager around what builds, which has ended when it ends."""

    def __init__(self) -> None:
        console = error_console()
        self._bars = _Bars(
            TextColumn("build: {task.description}"), BarColumn(30), TimeElapsedColumn(), console=console, transient=True
        )
        self._terminal = console.is_terminal
        self._console = console
        self._shown = False
        self._lock = threading.Lock()
        self._ended = False
        self._tasks: dict[threading.Thread, tuple[str, TaskID]] = {}
        self._begun: dict[threading.Thread, tuple[str, float]] = {}
        self._told: dict[str, float] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with self._lock:
            self._ended = True
            self._show(False)

    def report(self, what: str, done: int, total: int) -> None:
        """A `Progress` port: called from the building threads, each of which does one thing at a time.

        Raises `Transient` after the end, so that no installation outlives what was interrupted.
        """
        thread = threading.current_thread()
        with self._lock:
            if self._ended:
                raise Transient("the build was given up, because its controller ended")
            if self._terminal:
                self._bar(thread, what, done, total)
            else:
                self._line(thread, what, done, total)

    def _bar(self, thread: threading.Thread, what: str, done: int, total: int) -> None:
        shown, task = self._tasks.get(thread, ("", None))
        finished = bool(total) and done >= total
        if task is not None and not finished and shown == what:
            self._bars.update(task, completed=done, total=total or None, reported=time.monotonic())
            return
        if task is not None:
            self._bars.remove_task(task)
            del self._tasks[thread]
        if not finished:
            task = self._bars.add_task(what, total=total or None, completed=done, reported=time.monotonic())
            self._tasks[thread] = (what, task)
        self._show(bool(self._tasks))

    def _show(self, wanted: bool) -> None:
        """Bars are drawn, and lines of others kept clear of them, only while there is one."""
        if wanted != self._shown:
            self._shown = wanted
            (self._bars.start if wanted else self._bars.stop)()

    def _line(self, thread: threading.Thread, what: str, done: int, total: int) -> None:
        """Only what takes its time: the rest is over before its line is read."""
        now = time.monotonic()
        begun, since = self._begun.get(thread, ("", now))
        since = since if begun == what else now
        self._begun[thread] = ("" if total and done >= total else what, since)
        is_long = what.startswith(_LONG) or now - since >= _PLAIN_EVERY
        if is_long and now - self._told.get(what, -_PLAIN_EVERY) >= _PLAIN_EVERY:
            share = f" {100 * done // total} %" if total else ""
            self._console.print(f"build: {what}{share}")
            self._told[what] = now

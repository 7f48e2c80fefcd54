"""Notices changes of a working directory soon. Only a hint to look: the source's token decides whether anything changed."""

from __future__ import annotations

import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from watchdog.events import EVENT_TYPE_CLOSED_NO_WRITE, EVENT_TYPE_OPENED, FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver
from watchdog.observers.polling import PollingObserver

from controller.source.repository import Repository

DEBOUNCE = 0.1
"""Seconds of quiet before a change is told: an editor or a checkout touches many files at once."""

LONGEST_WAIT = 2.0
"""Seconds after which it is told although there is no quiet."""

POLL = 2.0
"""Seconds between two looks where the system offers no notifications."""

_READING = frozenset({EVENT_TYPE_OPENED, EVENT_TYPE_CLOSED_NO_WRITE})
_OF_GIT = ("HEAD", "index", "packed-refs", "refs")
_NOISE = frozenset({".venv", "__pycache__", "node_modules", ".mypy_cache", ".pytest_cache", ".ruff_cache"})

Ignore = Callable[[Path], bool]


class Watcher:
    """Calls `on_change` from a thread of its own after a change below `path`, of git's HEAD, index or references.

    `ignore` is asked with each absolute path, such as a state directory's. Use it as a context manager, or `start` and `stop`.
    """

    def __init__(self, path: Path, on_change: Callable[[], None], ignore: Ignore = lambda _: False) -> None:
        self._path = path.resolve()
        self._on_change = on_change
        self._ignore = ignore
        self._repository = Repository.around(self._path)
        self._observer: BaseObserver | None = None
        self._changed = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._tell, name="watch", daemon=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def start(self) -> None:
        """Watch from now on. Falls back to polling where the system's watches are used up."""
        # watchdog 7 warns, and goes on, when a new directory is noticed twice (by its parent and by its own walk).
        warnings.filterwarnings("ignore", message="Callback with id", category=RuntimeWarning)
        try:
            self._observer = self._observe(Observer())
        except OSError:
            self._observer = self._observe(PollingObserver(timeout=POLL))
        self._thread.start()

    def stop(self) -> None:
        """End both threads; may be called twice."""
        self._stopping.set()
        self._changed.set()
        if self._observer and self._observer.is_alive():
            self._observer.stop()
            self._observer.join()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join()

    def concerns(self, path: Path) -> bool:
        """Whether a change of this path may change a snapshot."""
        git = self._git_part(path)
        if git is not None:
            return git.split("/")[0] in _OF_GIT and not git.endswith(".lock")
        return not _NOISE.intersection(path.parts) and not self._ignore(path)

    def _observe(self, observer: BaseObserver) -> BaseObserver:
        handler = _Handler(self)
        try:
            observer.schedule(handler, str(self._path), recursive=True)
            for directory in self._git_directories():
                observer.schedule(handler, str(directory), recursive=directory.name == "refs")
            observer.start()
        except OSError:
            observer.unschedule_all()
            raise
        return observer

    def _git_directories(self) -> tuple[Path, ...]:
        """Those outside the watched path: a linked worktree's, or of a repository whose root lies above."""
        if self._repository is None:
            return ()
        common = self._repository.common
        places = dict.fromkeys((self._repository.git_dir, common, common / "refs"))
        return tuple(place for place in places if not place.is_relative_to(self._path) and place.is_dir())

    def _git_part(self, path: Path) -> str | None:
        """The path below the git directory, or None outside of it."""
        places = (self._repository.git_dir, self._repository.common) if self._repository else ()
        return next((path.relative_to(place).as_posix() for place in places if path.is_relative_to(place)), None)

    def noticed(self, path: Path) -> None:
        """A path changed."""
        if self.concerns(path):
            self._changed.set()

    def _tell(self) -> None:
        while self._changed.wait() and not self._stopping.is_set():
            self._settle()
            if not self._stopping.is_set():
                self._on_change()

    def _settle(self) -> None:
        """Until nothing happened for a moment, but not for ever."""
        latest = time.monotonic() + LONGEST_WAIT
        while time.monotonic() < latest:
            self._changed.clear()
            if not self._changed.wait(DEBOUNCE) or self._stopping.is_set():
                return
        self._changed.clear()


class _Handler(FileSystemEventHandler):
    def __init__(self, watcher: Watcher) -> None:
        self._watcher = watcher

    def on_any_event(self, event: FileSystemEvent) -> None:
        if event.event_type not in _READING:
            for path in (event.src_path, event.dest_path):
                if path:
                    self._watcher.noticed(Path(str(path)))

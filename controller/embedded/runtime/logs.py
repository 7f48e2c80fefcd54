"""What endpoints print: one file per replica, written by the endpoint itself, kept to two files of limited size.

Rotation copies and truncates: the writer keeps its descriptor (opened for appending), also across our restarts. Lines
written between the copy and the truncation are lost.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

LIMIT = 5 * 1024 * 1024
KEEP = 10
_OLD = ".1"
_BLOCK = 64 * 1024


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of a replica's output, without its line end."""

    replica: str
    text: str


class LogDirectory:
    """`<root>/<namespace>/<workload>/<replica>.log`; `limit` in bytes per file."""

    def __init__(self, root: Path, limit: int = LIMIT) -> None:
        self._root = root
        self._limit = limit

    def path(self, namespace: str, workload: str, replica: str) -> Path:
        """The file of a replica; its directory is made."""
        folder = self._root / namespace / workload
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return folder / f"{replica}.log"

    def prune(self, namespace: str, workload: str, running: Collection[str]) -> None:
        """Keep the files of running replicas (without its name a file would grow unseen) and the newest of the others."""
        ended = [file for file in self._files(namespace, workload) if file.stem not in running]
        for old in ended[:-KEEP]:
            old.unlink(missing_ok=True)
            old.with_name(old.name + _OLD).unlink(missing_ok=True)

    def forget(self, workloads: Collection[tuple[str, str]], before: float) -> None:
        """Remove what was printed last before `before` (seconds since the epoch), but for these (namespace, workload)."""
        for folder in self._root.glob("*/*"):
            newest = max((_changed(file) for file in folder.glob("*")), default=0.0)
            if (folder.parent.name, folder.name) not in workloads and newest < before:
                shutil.rmtree(folder, ignore_errors=True)
        for namespace in self._root.glob("*"):
            with suppress(OSError):  # it is not empty
                namespace.rmdir()

    def rotate(self, log: Path) -> bool:
        """Move the newest bytes to the second file once the first has reached the limit, and say whether it did.

        On a full disk the first is only cut off.
        """
        size = size_of(log)
        if size < self._limit:
            return False
        with suppress(OSError):
            _copy_part(log, log.with_name(log.name + _OLD), size - self._limit, self._limit)
        with suppress(OSError):
            os.truncate(log, 0)
        return True

    def read(self, namespace: str, workload: str, *, lines: int | None = None) -> Iterator[LogLine]:
        """The last lines (or all) of each replica, replica after replica, the oldest replica first."""
        for file in self._files(namespace, workload):
            found = [*_lines(file.with_name(file.name + _OLD)), *_lines(file)]
            for text in found[-lines:] if lines is not None else found:
                yield LogLine(file.stem, text)

    def follow(self, namespace: str, workload: str, *, stop: Callable[[], bool], pause: float = 0.2) -> Iterator[LogLine]:
        """Lines that are written from now on, of replicas that come later too, until `stop` answers True."""
        positions = {file: size_of(file) for file in self._files(namespace, workload)}
        while not stop():
            found = False
            for file in self._files(namespace, workload):
                block, positions[file] = _complete_lines(file, positions.get(file, 0))
                for text in block:
                    found = True
                    yield LogLine(file.stem, text)
            if not found:
                time.sleep(pause)

    def _files(self, namespace: str, workload: str) -> list[Path]:
        files = (self._root / namespace / workload).glob("*.log")
        return sorted(files, key=lambda file: (_changed(file), file.name))


def tail(log: Path, *, start: int = 0, lines: int = 80, size: int = 2048) -> str:
    """The end of what was written after `start`, as FallbackToLogsOnError gives it: at most 80 lines or 2 KiB."""
    try:
        length = log.stat().st_size
        with log.open("rb") as file:
            begin = max(start if start <= length else 0, length - size)
            file.seek(begin)
            text = file.read(size).decode(errors="replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-lines:]).strip()


def size_of(log: Path) -> int:
    """Bytes written so far; 0 for a file that is not there yet."""
    with suppress(OSError):
        return log.stat().st_size
    return 0


def _copy_part(log: Path, target: Path, start: int, size: int) -> None:
    """`size` bytes, without a line that was cut: between two looks it may have been a gigabyte, and more may be coming."""
    with log.open("rb") as source, target.open("wb") as copy:
        source.seek(start)
        left = size - len(source.readline(_BLOCK)) if start else size
        while left > 0 and (block := source.read(min(left, _BLOCK))):
            left -= copy.write(block)


def _lines(file: Path) -> list[str]:
    with suppress(FileNotFoundError):
        return file.read_text(errors="replace").splitlines()
    return []


def _complete_lines(file: Path, position: int) -> tuple[list[str], int]:
    """Whole lines after `position`, and where to go on; a file that became shorter begins anew."""
    try:
        with file.open("rb") as stream:
            start = position if position <= file.stat().st_size else 0
            stream.seek(start)
            block = stream.read(_BLOCK)
    except FileNotFoundError:
        return [], 0
    end = len(block) if len(block) == _BLOCK and b"\n" not in block else block.rfind(b"\n") + 1
    return block[:end].decode(errors="replace").splitlines(), start + end


def _changed(file: Path) -> float:
    with suppress(OSError):
        return file.stat().st_mtime
    return 0.0

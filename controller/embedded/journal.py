"""Durable objects: one append-only file of checked lines, one line per batch of writes, rewritten when it has grown.

A file begins with a snapshot of everything and goes on with changes. A rewrite makes the next file beside it and renames it
into place, so that a crash at any point leaves one whole file. A line that was not written to its end is a batch
that was never acknowledged: it is dropped.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from controller.model.errors import Stalled, Unavailable
from controller.model.identity import ObjectKey
from controller.model.objects import Object, key_of

_log = logging.getLogger(__name__)
_FORMAT = 1
_SMALLEST_REWRITE = 4 * 1024 * 1024

# Versions that were handed out for writes that need no durability are lost in a crash. Each opening begins a new block,
# so that no version is ever given twice.
_BLOCK = 1_000_000_000


class Journal:
    """The files of one store. `objects` and `version` are what was read on opening. One thread at a time may write.

    Raises `Stalled` for a damaged or foreign file and where another process has it open, `Unavailable` when the disk fails.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._guard = _guard(directory)
        self._file = -1
        self._rewrite_at = _SMALLEST_REWRITE
        try:
            self.objects, last = _read_newest(directory)
            self.version = (last // _BLOCK + 1) * _BLOCK
            self._rewrite(self.objects.values(), self.version)
        except OSError as error:
            self.close()
            raise Unavailable(f"cannot open the store in {directory}: {error.strerror}") from error
        except BaseException:
            self.close()
            raise

    def append(self, changes: Mapping[ObjectKey, Object | None], version: int) -> None:
        """Write one batch and return when it is on disk; None deletes. On `OSError` it is as if nothing had been asked."""
        line = _line(_batch(changes, version))
        try:
            os.ftruncate(self._file, self._size)  # what a failed batch may have left
            _write_all(self._file, line, self._size)
            os.fsync(self._file)
        except OSError:
            self._forget_tail()
            raise
        self._size += len(line)

    def rewrite_if_grown(self, objects: Iterable[Object], version: int) -> None:
        """Begin a new file once most of the old one is history. Failing to is no error: the old one goes on."""
        if self._size < self._rewrite_at:
            return
        try:
            self._rewrite(objects, version)
        except OSError as error:
            self._rewrite_at = self._size * 2
            _log.warning("cannot shorten the store's journal in %s: %s", self._directory, error.strerror)

    def close(self) -> None:
        for descriptor in (self._file, self._guard):
            if descriptor >= 0:
                os.close(descriptor)
        self._file = self._guard = -1

    def _forget_tail(self) -> None:
        try:
            os.ftruncate(self._file, self._size)
        except OSError as error:
            _log.warning("cannot take back a failed batch in %s: %s", self._directory, error.strerror)

    def _rewrite(self, objects: Iterable[Object], version: int) -> None:
        number = max((_number(path) for path in _files(self._directory)), default=0) + 1
        path = self._directory / f"objects-{number:08d}.journal"
        unfinished = path.with_suffix(".new")
        content = b"".join(_lines(objects, version))
        descriptor = os.open(unfinished, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            _write_all(descriptor, content, 0)
            os.fsync(descriptor)
            unfinished.rename(path)
            os.fsync(self._guard)
        except OSError:
            os.close(descriptor)
            unfinished.unlink(missing_ok=True)
            path.unlink(missing_ok=True)
            raise
        old, self._file, self._size = self._file, descriptor, len(content)
        self._rewrite_at = max(_SMALLEST_REWRITE, 4 * self._size)
        if old >= 0:
            os.close(old)
        for other in self._directory.glob("objects-*"):
            if other != path:
                other.unlink(missing_ok=True)


def _guard(directory: Path) -> int:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise Stalled(f"the store in {directory} is open already", hint="only one process may open it at a time") from None
    return descriptor


def _files(directory: Path) -> list[Path]:
    return sorted(directory.glob("objects-*.journal"), key=_number)


def _number(path: Path) -> int:
    digits = path.stem.rpartition("-")[2]
    return int(digits) if digits.isdecimal() else 0


def _read_newest(directory: Path) -> tuple[dict[ObjectKey, Object], int]:
    objects: dict[ObjectKey, Object] = {}
    version = 0
    for path in _files(directory)[-1:]:
        lines = path.read_bytes().splitlines(keepends=True)
        for number, line in enumerate(lines, 1):
            batch = _parse(line)
            if batch is None and number == len(lines) > 1:
                _log.warning("%s:%d: dropped a write that was cut off and never acknowledged", path, number)
            elif batch is None or batch["format"] != _FORMAT:
                raise Stalled(f"{path}:{number}: damaged, or written by another version of pointsman", hint=_DAMAGED)
            else:
                objects.update({key_of(obj): obj for obj in batch["set"]})
                for key in batch["delete"]:
                    objects.pop(ObjectKey.parse(key), None)
                version = batch["version"]
    return objects, version


_DAMAGED = "move the directory away and start again: everything is made anew from git, only facts such as pins are lost"


def _lines(objects: Iterable[Object], version: int) -> Iterable[bytes]:
    yield _line(_batch({}, version))
    for obj in objects:
        yield _line(_batch({key_of(obj): obj}, version))


def _batch(changes: Mapping[ObjectKey, Object | None], version: int) -> dict[str, Any]:
    """Without status: whoever wrote that writes it again after a restart."""
    kept = [{k: v for k, v in obj.items() if k != "status"} for obj in changes.values() if obj is not None]
    gone = [str(key) for key, obj in changes.items() if obj is None]
    return {"format": _FORMAT, "version": version, "set": kept, "delete": gone}


def _line(batch: Mapping[str, Any]) -> bytes:
    body = json.dumps(batch, separators=(",", ":")).encode()
    return b"%08x %s\n" % (zlib.crc32(body), body)


def _parse(line: bytes) -> dict[str, Any] | None:
    body = line[9:-1]
    if not line.endswith(b"\n") or line[:9] != b"%08x " % zlib.crc32(body):
        return None
    batch: dict[str, Any] = json.loads(body)
    return batch


def _write_all(descriptor: int, content: bytes, offset: int) -> None:
    rest = memoryview(content)
    while rest:
        written = os.pwrite(descriptor, rest, offset)
        rest, offset = rest[written:], offset + written

"""Files that are complete or absent, also after a crash: written beside their place, synced, renamed."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from controller.model.errors import Stalled, Transient

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.ENAMETOOLONG)


def write_durably(path: Path, data: bytes) -> None:
    """Replace a small file. Callers hold a lock for `path`: the partial file's name is derived from it."""
    partial = path.with_name(f"{path.name}.partial")
    with partial.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    rename_durably(partial, path)


def write_whole(path: Path, data: bytes) -> None:
    """Replace a small file that a crash of the machine may empty: its reader takes what makes no sense for absent."""
    partial = path.with_name(f"{path.name}.partial")
    partial.write_bytes(data)
    partial.replace(path)


def rename_durably(partial: Path, path: Path) -> None:
    """Move a complete file or directory to its place, and remember the move."""
    partial.replace(path)
    descriptor = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold the lock named by `path` against other threads and processes; a killed owner releases it.

    The file goes with its last owner, hence the second look: whoever waited may have locked a file that is gone.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = _locked(path)
    while not _is_file_at(descriptor, path):
        os.close(descriptor)
        descriptor = _locked(path)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(descriptor)


def _locked(path: Path) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _is_file_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


@contextmanager
def disk_errors() -> Iterator[None]:
    """What the system refuses, in words: a full disk may be emptied, a forbidden one stays so.

    What vanished was cleaned away by somebody else: the next try makes it again.
    """
    try:
        yield
    except OSError as error:
        where = f" {error.filename}" if error.filename else ""
        message = f"the image cannot be put on the disk:{where} {error.strerror or error}"
        if error.errno in _FULL:
            raise Transient(message, hint="free space below the state and cache directories; it is tried again") from error
        if error.errno in _REFUSED:
            raise Stalled(message, hint="check the permissions of the state and cache directories") from error
        raise Transient(message, hint="it is tried again") from error

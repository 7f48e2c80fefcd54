"""Which paths a layer may contain. What comes from a repository is hostile: a wrong name can wreck a base image.

Reproduced on dockerd 20.10 and containerd 1.6: `.wh.passwd` deleted the base's file, `../..` was followed, two entries
of one path made the image unpullable, and an entry for a directory of the base reset its mode.
"""

from __future__ import annotations

from collections.abc import Iterable

from controller.model.errors import Stalled

_LONGEST_NAME = 255
_LONGEST_PATH = 4000


def layer_path(directory: str, path: str) -> str:
    """The entry of `path` below the image's `directory`, which is absolute. Raises `Stalled` for a path that may harm."""
    complaint = _complaint(path)
    if complaint:
        raise Stalled(f"{path!r} cannot be in an image: {complaint}", hint="rename or remove this file")
    return f"{directory.strip('/')}/{path}"


def normalised(path: str) -> str:
    """A declared path without its `.` parts: `./model` and `model` are one file."""
    return "/".join(part for part in path.split("/") if part != ".")


def require_disjoint(paths: Iterable[str]) -> None:
    """Raise `Stalled` where two entries have one path, or a file's path is another one's directory."""
    seen: set[str] = set()
    directories: set[str] = set()
    for path in paths:
        if path in seen:
            raise Stalled(f"two files of the image have one path: /{path}", hint="give one of them another path")
        seen.add(path)
        _note_directories(path, directories)
    both = min(seen & directories, default=None)
    if both is not None:
        below = min(path for path in seen if path.startswith(f"{both}/"))
        message = f"/{both} would be a file and the directory of /{below} at once"
        raise Stalled(message, hint="give one of them another path")


def _note_directories(path: str, directories: set[str]) -> None:
    """Enter those that the path is below, unless a neighbour of it has."""
    parent = path.rpartition("/")[0]
    while parent and parent not in directories:
        directories.add(parent)
        parent = parent.rpartition("/")[0]


def _complaint(path: str) -> str | None:
    try:
        encoded = path.encode()
    except UnicodeEncodeError:
        return "its name is not UTF-8"
    if not path or path.startswith("/"):
        return "the path must be relative"
    if "\0" in path:
        return "the name contains a NUL byte"
    if len(encoded) > _LONGEST_PATH:
        return f"the path is longer than {_LONGEST_PATH} bytes"
    return next(filter(None, map(_complaint_about_part, path.split("/"))), None)


def _complaint_about_part(part: str) -> str | None:
    if part in ("", ".", ".."):
        return "a part of the path is empty, `.` or `..`"
    if part.startswith(".wh."):
        return "a name that begins with `.wh.` deletes files of the base image"
    if len(part.encode()) > _LONGEST_NAME:
        return f"a name is longer than {_LONGEST_NAME} bytes"
    return None

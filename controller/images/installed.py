"""An installed directory as members of a layer: what names a path, a time or the installer is dropped or rewritten.

Nothing is changed on the disk: uv hard-links from its cache, so an edit in place would damage every other environment.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from importlib.metadata import distributions
from pathlib import Path

from controller.images.layers import Member, in_blocks
from controller.images.paths import layer_path
from controller.images.requirement_lines import normalised_name
from controller.model.errors import Stalled

_BLOCK = 1 << 20
_DROPPED = ("INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json", "uv_build.json")
_HEAD = 4096
_SHEBANG = re.compile(rb"\A(?:#![^\n]*python[^\n]*\n|#!/bin/sh\n'''exec' [^\n]*python[^\n]*\n' '''\n)")
"""The second form is what installers write where the interpreter's path is long or contains a space."""


def installed_members(directory: Path, place: str) -> list[Member]:
    """The files below `directory` as they are to lie below the image's directory `place`."""
    return [_member(directory, path, place) for path in sorted(directory.rglob("*")) if _belongs(directory, path)]


def installed_distributions(directory: Path) -> tuple[str, ...]:
    """`name==version` of everything that is installed in `directory`, sorted."""
    return tuple(sorted(f"{normalised_name(d.name)}=={d.version}" for d in distributions(path=[str(directory)])))


def _belongs(directory: Path, path: Path) -> bool:
    if path.is_symlink():
        raise Stalled(f"a requirement installs the symbolic link {path.relative_to(directory)}, which cannot be in an image")
    return path.is_file() and not _is_dropped(path.relative_to(directory).as_posix())


def _is_dropped(path: str) -> bool:
    parts = path.split("/")
    own_record = len(parts) == 2 and parts[0].endswith(".dist-info") and parts[1] in _DROPPED
    return own_record or "__pycache__" in parts or path.endswith(".pyc") or path == ".lock"


def _member(directory: Path, path: Path, place: str) -> Member:
    name = path.relative_to(directory).as_posix()
    target = layer_path(place, name)
    status = path.stat()
    executable = bool(status.st_mode & 0o100)
    if name.startswith("bin/") and _names_python(path):
        return _in_memory(target, _portable_script(path.read_bytes()), executable=executable)
    if path.name == "RECORD" and path.parent.name.endswith(".dist-info"):
        return _in_memory(target, _portable_record(name, path.read_bytes()), executable=False)
    return Member(target, status.st_size, lambda: read_blocks(path), executable)


def read_blocks(path: Path) -> Iterator[bytes]:
    """A file's bytes in blocks of at most 1 MiB."""
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            yield block


def _in_memory(path: str, data: bytes, *, executable: bool) -> Member:
    return Member(path, len(data), in_blocks(data), executable)


def _portable_script(data: bytes) -> bytes:
    """A script that runs with the `python3` on PATH instead of the interpreter that it was installed with."""
    return _SHEBANG.sub(b"#!/usr/bin/env python3\n", data[:_HEAD], count=1) + data[_HEAD:]


def _names_python(path: Path) -> bool:
    with path.open("rb") as file:
        return _SHEBANG.match(file.read(_HEAD)) is not None


def _portable_record(name: str, data: bytes) -> bytes:
    """A distribution's list of files without what is dropped here, and without digests of what is rewritten."""
    try:
        rows = sorted(row for row in csv.reader(io.StringIO(data.decode())) if row and not _is_dropped(row[0]))
    except (csv.Error, UnicodeDecodeError) as error:
        raise Stalled(f"a requirement installs {name}, which is no list of files: {error}") from error
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerows([row[0], "", ""] if _is_script(row[0]) else row for row in rows)
    return out.getvalue().encode()


def _is_script(path: str) -> bool:
    return path.startswith("bin/") or ("/bin/" in path and path.startswith("../"))

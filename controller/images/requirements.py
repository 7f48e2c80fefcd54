"""What a requirements file asks for: its includes, taken from the code, and whether it installs parts of the code.

Facts: https://pip.pypa.io/en/stable/reference/requirements-file-format/ and uv's reading of it.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from controller.images.paths import layer_path
from controller.model.errors import Stalled

MAIN = "requirements-deployment.txt"
_MOST_FILES = 100
_COMMENT = re.compile(r"(^|\s)#.*$")
_EDITABLE = re.compile(r"^(?:-e|--editable)(?:\s+|=)")
_INCLUDE = re.compile(r"^(?:-r|--requirement|-c|--constraint)\s*=?\s*(?P<path>\S+)$")
_SEARCHED = re.compile(r"^(?:-f|--find-links|-i|--index-url|--extra-index-url)\s*=?\s*(?P<target>\S+)$")
_DIRECT = re.compile(r"^[A-Za-z0-9][\w.-]*\s*(?:\[[^\]]*\])?\s*@\s*(?P<target>\S+)")
_NAME = re.compile(r"^[A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?")
_ARCHIVES = (".whl", ".zip", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")

Read = Callable[[str], str | None]
"""The text of a file of the code, or None where there is none."""


@dataclass(slots=True)
class Requirements:
    """Requirement files by their path below the code's root. `needs_code`: something of the code itself is installed."""

    files: dict[str, str] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)
    needs_code: bool = False


def collect(text: str, read: Read) -> Requirements:
    """Everything that `text`, lying at the code's root, leads to. Raises `Stalled` for what leads out of the code."""
    found = Requirements()
    _collect(MAIN, text, read, found)
    return found


def normalised_name(name: str) -> str:
    """A distribution's name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _collect(path: str, text: str, read: Read, found: Requirements) -> None:
    lines: list[str] = []
    found.files[path] = ""
    if len(found.files) > _MOST_FILES:
        raise Stalled(f"the requirements include more than {_MOST_FILES} files", hint="write them into fewer files")
    for line in _logical_lines(text):
        lines.append(_EDITABLE.sub("", line))
        include = _note(path, line, found)
        if include and include not in found.files:
            _collect(include, _included(path, include, read), read, found)
    found.files[path] = "".join(f"{line}\n" for line in lines)


def _note(path: str, line: str, found: Requirements) -> str | None:
    """Enter one line into `found`; return the path of the file that it includes."""
    if re.search(r"\bfile:", line):
        hint = "name it relative to the code's root, such as `./lib`"
        raise Stalled(f"{path}: `{line}` names a file of this machine", hint=hint)
    include = _INCLUDE.match(line)
    if include and "://" not in include["path"]:
        return _inside(path, include["path"])
    target = _local_target(line)
    if target is not None:
        _inside(MAIN, target)
        _inside(path, target)
        found.needs_code = True
    elif name := _NAME.match(line):
        found.names.add(normalised_name(name[0]))
    return None


def _local_target(line: str) -> str | None:
    """The path that a line installs from or searches, where it is one and no URL; uv takes it from the code's root."""
    editable = _EDITABLE.match(line)
    if match := _SEARCHED.match(line) or _DIRECT.match(line):
        target = match["target"]
    elif line.startswith("-") and not editable:
        return None
    else:
        target = re.split(r"\s|;|\[", _EDITABLE.sub("", line), maxsplit=1)[0]
        if not (editable or "/" in target or target.startswith((".", "~")) or target.endswith(_ARCHIVES)):
            return None
    return None if "://" in target else target


def _inside(path: str, target: str) -> str:
    """`target` as seen from the file at `path`, below the code's root."""
    resolved = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
    if resolved.startswith(("/", "~", "..")) or "$" in resolved:
        raise Stalled(f"{path}: `{target}` is not a path inside the code", hint="name a file or directory of the repository")
    if resolved != ".":
        layer_path("code", resolved)
    return resolved


def _included(path: str, include: str, read: Read) -> str:
    text = read(include)
    if text is None:
        raise Stalled(f"{path} includes {include}, which is not in the code at this commit", hint=f"commit {include}")
    return text


def _logical_lines(text: str) -> Iterator[str]:
    joined = re.sub(r"\\\r?\n", " ", text.removeprefix("\ufeff"))
    for line in joined.splitlines():
        plain = " ".join(_COMMENT.sub("", line).split())
        if plain:
            yield plain

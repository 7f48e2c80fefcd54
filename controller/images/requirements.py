"""What a requirements file asks for: its includes, taken from the code, and whether it installs parts of the code."""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from dataclasses import dataclass, field

from controller.images.paths import layer_path
from controller.images.requirement_lines import Line, is_address, understood_lines
from controller.model.errors import Stalled

MAIN = "requirements-deployment.txt"
PLAIN = "requirements.txt"
_MOST_FILES = 100

Read = Callable[[str], str | None]
"""The text of a file of the code, or None where there is none."""


@dataclass(slots=True)
class Requirements:
    """Requirement files by their path below the code's root. `needs_code`: something of the code itself is installed."""

    files: dict[str, str] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)
    needs_code: bool = False
    lines: list[Line] = field(default_factory=list)
    main: str = MAIN

    @property
    def is_hashed(self) -> bool:
        """Whether anything says which bytes it wants: then everything has to, as in pip."""
        return any(line.is_hashed or line.text == "--require-hashes" for line in self.lines)


def collect(text: str, read: Read, main: str = MAIN) -> Requirements:
    """Everything that `text`, lying as `main` at the code's root, leads to. Raises `Stalled` for what leads out of the code."""
    found = Requirements(main=main)
    _collect(main, text, read, found, is_constraint=False)
    return found


def _collect(path: str, text: str, read: Read, found: Requirements, *, is_constraint: bool) -> None:
    found.files[path] = ""
    if len(found.files) > _MOST_FILES:
        raise Stalled(f"the requirements include more than {_MOST_FILES} files", hint="write them into fewer files")
    lines = list(understood_lines(path, text, is_constraint=is_constraint))
    found.lines += lines
    for line in lines:
        inner = _note(line, found)
        if inner and inner not in found.files:
            _collect(inner, _included(path, inner, read), read, found, is_constraint=line.limits)
    found.files[path] = "".join(f"{line.written}\n" for line in lines)


def _note(line: Line, found: Requirements) -> str | None:
    """Enter one line into `found`; return the path of the file that it includes."""
    if line.includes:
        return None if is_address(line.includes) else _inside(line, line.includes)
    for target in (line.installs, line.searches):
        if target is not None and not is_address(target):
            _inside(line, target, at=found.main)
            _inside(line, target)
            found.needs_code = True
    if line.name and not line.is_constraint:
        found.names.add(line.name)
    return None


def _inside(line: Line, target: str, at: str | None = None) -> str:
    """`target` as seen from the line's file, or from the one `at`, below the code's root; uv takes it from that."""
    resolved = posixpath.normpath(posixpath.join(posixpath.dirname(at or line.path), target))
    if resolved.startswith(("/", "~", "..")) or "$" in resolved:
        raise Stalled(f"{line}: `{target}` is not a path inside the code", hint="name a file or directory of the repository")
    if resolved != ".":
        layer_path("code", resolved)
    return resolved


def _included(path: str, include: str, read: Read) -> str:
    text = read(include)
    if text is None:
        raise Stalled(f"{path} includes {include}, which is not in the code at this commit", hint=f"commit {include}")
    return text

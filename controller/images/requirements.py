"""What a requirements file asks for: its includes, taken from the code, and whether it installs parts of the code.

Facts: https://pip.pypa.io/en/stable/reference/requirements-file-format/ and uv's reading of it.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from controller.images.paths import layer_path
from controller.loading.printable import shown
from controller.model.errors import Stalled

MAIN = "requirements-deployment.txt"
PLAIN = "requirements.txt"
LOCK = "uv.lock"
_MOST_FILES = 100
_LONGEST = 200
_COMMENT = re.compile(r"(^|\s)#.*$")
_EDITABLE = re.compile(r"^(?:-e|--editable)(?:\s+|=)")
_INCLUDE = re.compile(r"^(?P<kind>-r|--requirement|-c|--constraint)\s*=?\s*(?P<path>\S+)$")
_SEARCHED = re.compile(r"^(?:-f|--find-links|-i|--index-url|--extra-index-url)\s*=?\s*(?P<target>\S+)$")
_DIRECT = re.compile(r"^[A-Za-z0-9][\w.-]*\s*(?:\[[^\]]*\])?\s*@\s*(?P<target>\S+)")
_NAME = re.compile(r"^[A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?")
_HASHED = re.compile(r"\s--hash[=\s]")
_ARCHIVES = (".whl", ".zip", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")

Read = Callable[[str], str | None]
"""The text of a file of the code, or None where there is none."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line, without its comment and with what it continues. `number` is where it begins, from 1; a lock has none.

    `installs` is the path or address that it installs from, `searches` the one that it looks for packages at. A
    constraint only limits what others ask for.
    """

    path: str
    number: int
    text: str
    is_constraint: bool = False
    installs: str | None = None
    searches: str | None = None

    def __str__(self) -> str:
        place = self.path if self.path == LOCK else f"{self.path}:{self.number}"
        return f"{place}: `{shown(self.text[:_LONGEST])}`"

    @property
    def name(self) -> str:
        """The distribution that it asks for, as PEP 503 compares names; empty for options and paths."""
        if self.text.startswith("-") or (self.installs and not _DIRECT.match(self.text)):
            return ""
        found = _NAME.match(self.text)
        return normalised_name(found[0]) if found else ""

    @property
    def includes(self) -> str | None:
        """The file that it includes: a path, or an address."""
        match = _INCLUDE.match(self.text)
        return match["path"] if match else None

    @property
    def is_hashed(self) -> bool:
        return _HASHED.search(self.text) is not None


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


def normalised_name(name: str) -> str:
    """A distribution's name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _collect(path: str, text: str, read: Read, found: Requirements, *, is_constraint: bool) -> None:
    lines: list[str] = []
    found.files[path] = ""
    if len(found.files) > _MOST_FILES:
        raise Stalled(f"the requirements include more than {_MOST_FILES} files", hint="write them into fewer files")
    for number, words in _logical_lines(text):
        line = Line(path, number, words, is_constraint, _installed(words), _searched(words))
        found.lines.append(line)
        lines.append(_EDITABLE.sub("", words))
        include = _INCLUDE.match(words)
        inner = _note(line, include, found)
        if include and inner and inner not in found.files:
            limits = is_constraint or include["kind"] in ("-c", "--constraint")
            _collect(inner, _included(path, inner, read), read, found, is_constraint=limits)
    found.files[path] = "".join(f"{line}\n" for line in lines)


def _note(line: Line, include: re.Match[str] | None, found: Requirements) -> str | None:
    """Enter one line into `found`; return the path of the file that it includes."""
    if re.search(r"\bfile:", line.text):
        hint = "name it relative to the code's root, such as `./lib`"
        raise Stalled(f"{line} names a file of this machine", hint=hint)
    if include:
        return None if "://" in include["path"] else _inside(line, include["path"])
    local = [target for target in (line.installs, line.searches) if target is not None and "://" not in target]
    for target in local:
        _inside(line, target, at=found.main)
        _inside(line, target)
        found.needs_code = True
    if line.name and not line.is_constraint:
        found.names.add(line.name)
    return None


def _searched(text: str) -> str | None:
    match = _SEARCHED.match(text)
    return match["target"] if match else None


def _installed(text: str) -> str | None:
    """The path or address that a line installs from; a path counts from the code's root, as uv takes it."""
    editable = _EDITABLE.match(text)
    if match := _DIRECT.match(text):
        return match["target"]
    if text.startswith("-") and not editable:
        return None
    target = re.split(r"\s|;|\[", _EDITABLE.sub("", text), maxsplit=1)[0]
    is_path = "/" in target or target.startswith((".", "~")) or target.endswith(_ARCHIVES)
    return target if editable or is_path else None


def _inside(line: Line, target: str, at: str | None = None) -> str:
    """`target` as seen from the line's file, or from the one `at`, below the code's root."""
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


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines without comments, each with its number; one that ends in a backslash goes on in the next."""
    begun, parts = 0, list[str]()
    for number, line in enumerate((*text.removeprefix("\ufeff").splitlines(), ""), 1):
        begun = begun if parts else number
        parts.append(line.removesuffix("\\"))
        if not line.endswith("\\"):
            if plain := " ".join(_COMMENT.sub("", " ".join(parts)).split()):
                yield begun, plain
            parts = []

"""One line of a requirements file in a form that cannot mean anything else to uv, which reads more leniently than pip.

Facts: https://pip.pypa.io/en/stable/reference/requirements-file-format/, and what uv 0.13 was seen to do: after a hash or an
option without a value the line goes on with the next requirement; `https:host` is an address; quotes are taken off values;
spaces, brackets and semicolons may be parts of a path.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from controller.loading.printable import shown, without_logins
from controller.model.errors import Stalled

LOCK = "uv.lock"
_LONGEST = 200
_COMMENT = re.compile(r"(^|\s)#.*$")
_OPTION = re.compile(
    r"^(?P<option>-[rcfie]|--(?:requirement|constraint|find-links|index-url|extra-index-url|editable)(?=[\s=]))\s*=?\s*(?P<value>.+)$"
)
_INCLUDES = ("-r", "--requirement", "-c", "--constraint")
_CONSTRAINTS = ("-c", "--constraint")
_EDITABLE = ("-e", "--editable")
_ALONE = re.compile(
    r"--(?:no-index|require-hashes|pre|prefer-binary)|--(?:no-binary|only-binary|trusted-host|use-feature)[=\s]\s*\S+"
)
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_ADDRESS = re.compile(r"(?:[a-z]+\+)?[a-z]+://[^\\\s]+")
_DIRECT = re.compile(r"^[A-Za-z0-9][\w.-]*\s*(?:\[[^\]]*\])?\s*@\s*(?P<target>.+)$")
_NAME = re.compile(r"^[A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?")
_HASHED = re.compile(r"\s--hash[=\s]")
_HASHES = re.compile(r"(?:\s--hash[=\s]\s*\w+:\w+)+")
_REST = re.compile(r"\s(?:;|--hash[=\s]).*$")
_ARCHIVES = (".whl", ".zip", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")


@dataclass(frozen=True, slots=True)
class Line:
    """One line, without its comment and with what it continues. `number` is where it begins, from 1; a lock has none.

    `installs` is the path or address that it installs from, `searches` the one that it looks for packages at, `includes`
    the one of another file. A constraint only limits what others ask for.
    """

    path: str
    number: int
    text: str
    is_constraint: bool = False
    installs: str | None = None
    searches: str | None = None
    includes: str | None = None

    def __str__(self) -> str:
        place = self.path if self.path == LOCK else f"{self.path}:{self.number}"
        return f"{place}: `{shown(without_logins(self.text)[:_LONGEST])}`"

    @property
    def name(self) -> str:
        """The distribution that it asks for, as PEP 503 compares names; empty for options and paths."""
        if self.text.startswith("-") or (self.installs and not _DIRECT.match(self.text)):
            return ""
        found = _NAME.match(self.text)
        return normalised_name(found[0]) if found else ""

    @property
    def is_hashed(self) -> bool:
        return _HASHED.search(self.text) is not None

    @property
    def limits(self) -> bool:
        """Whether the file that it includes holds constraints."""
        return self.is_constraint or self.text.startswith(_CONSTRAINTS)

    @property
    def written(self) -> str:
        """The line for uv; what is editable is installed as a copy."""
        return self.installs if self.installs and self.text.startswith(_EDITABLE) else self.text


def understood_lines(path: str, text: str, *, is_constraint: bool) -> Iterator[Line]:
    """The lines of a file. Raises `Stalled` for one that could mean something else, or leads to a file of this machine."""
    for number, words in _logical_lines(text):
        line = _understood(Line(path, number, words, is_constraint))
        _require_sense(line)
        yield line


def normalised_name(name: str) -> str:
    """A distribution's name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def is_address(target: str) -> bool:
    """Whether it leads to a host, and not to a path of the code."""
    return _SCHEME.match(target) is not None


def _understood(line: Line) -> Line:
    match = _OPTION.match(line.text)
    if match is None:
        return replace(line, installs=_installed(line.text))
    option, value = match["option"], match["value"].strip("\"' ")
    line = replace(line, text=f"{option} {value}")
    if option in _INCLUDES:
        return replace(line, includes=value)
    return replace(line, installs=value) if option in _EDITABLE else replace(line, searches=value)


def _installed(text: str) -> str | None:
    """The path or address that a line without an option installs from; nothing is cut off that uv may take for a part of it."""
    target = _REST.sub("", text)
    if match := _DIRECT.match(target):
        return match["target"]
    is_path = "/" in target or target.startswith((".", "~")) or target.endswith(_ARCHIVES) or is_address(target)
    return target if is_path and not text.startswith("-") else None


def _require_sense(line: Line) -> None:
    if re.search(r"\bfile:", line.text, re.IGNORECASE):
        hint = "name it relative to the code's root, such as `./lib`"
        raise Stalled(f"{line} names a file of this machine", hint=hint)
    targets = (line.installs, line.searches, line.includes)
    if any(target and is_address(target) and not _ADDRESS.fullmatch(target) for target in targets):
        raise Stalled(f"{line} is neither a path nor a whole address", hint="write the address with `https://`, without spaces")
    option = line.text.startswith("-") and not (line.installs or line.searches or line.includes)
    hashes = _HASHED.search(line.text)
    if (option and not _ALONE.fullmatch(line.text)) or (hashes and not _HASHES.fullmatch(line.text, hashes.start())):
        raise Stalled(f"{line} is not understood", hint="write each requirement and each option on a line of its own")


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines without comments, each with its number; one that ends in a backslash goes on in the next.

    A byte order mark goes wherever it is: uv drops one at the beginning of a file, where a later line may come to stand.
    """
    begun, parts = 0, list[str]()
    for number, line in enumerate((*text.replace("\ufeff", "").splitlines(), ""), 1):
        begun = begun if parts else number
        parts.append(line.removesuffix("\\"))
        if not line.endswith("\\"):
            if plain := " ".join(_COMMENT.sub("", " ".join(parts)).split()):
                yield begun, plain
            parts = []

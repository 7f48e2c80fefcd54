"""What requirements may say, beyond what an installer understands: where bytes come from, and whether all are known."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from controller.images.indexes import Indexes
from controller.images.requirement_lines import Line, is_address
from controller.images.requirements import Requirements
from controller.model.errors import Stalled

_VARIABLE = re.compile(r"\$\{[A-Za-z0-9_]+\}")
_BUILDS = re.compile(r"--no-binary\b|--only-binary[=\s]\s*:none:")
_AFTER_NAME = re.compile(r"[\s;\[#?]")
_VERSION_CONTROL = re.compile(r"(?:git|hg|svn|bzr)\+")


def require_all_hashes(found: Requirements) -> None:
    """Once a line says which bytes it wants, all have to: else the others could bring in anything."""
    if not found.is_hashed:
        return
    known = {line.name for line in found.lines if line.is_hashed}
    lacking = [line for line in found.lines if _is_wanted(line) and (line.name or None) not in known]
    if lacking:
        more = f", and {len(lacking) - 1} more lines lack one" if len(lacking) > 1 else ""
        message = f"{lacking[0]} has no --hash, although other lines have one{more}"
        raise Stalled(message, hint="lock all of it: uv pip compile --generate-hashes; or leave the hashes out everywhere")


def checked(found: Requirements, *, only_wheels: bool, indexes: Indexes | None) -> Requirements:
    """What is left for uv to read. Raises `Stalled` for a line that may not be there.

    `only_wheels`: nothing can be built. `indexes`: all that may be fetched from, where the configuration says that.
    """
    for line in found.lines:
        if only_wheels:
            _require_wheels(line)
        if indexes:
            _require_granted(line, indexes)
    return without_indexes(found) if indexes else found


def _require_wheels(line: Line) -> None:
    """For bases whose Python does not run during a build. uv puts variables of its environment into addresses."""
    if _VARIABLE.search(line.text):
        hint = "write it out; passwords of package indexes belong to the controller's configuration"
        raise Stalled(f"{line} names a variable of the controller's environment", hint=hint)
    if line.includes and is_address(line.includes):
        raise Stalled(f"{line} includes a file that git does not hold", hint="copy it into the repository")
    if _BUILDS.match(line.text) or (line.installs and not _is_wheel(line.installs)):
        hint = "publish the package as a wheel, or commit the wheel and name its file"
        raise Stalled(f"{line} wants a package built, and only wheels enter a container", hint=hint)


def _require_granted(line: Line, indexes: Indexes) -> None:
    installs, searches = _address(line.installs), _address(line.searches)
    if (installs and not indexes.holds(installs)) or (searches and not indexes.at(searches)):
        hint = "ask whoever runs the controller to add it to `dependencies.indexes` and the source's `grants.indexes`"
        raise Stalled(f"{line} fetches from an address that this source may not use", hint=hint)


def without_indexes(found: Requirements) -> Requirements:
    """The same without lines that name an index: the configuration names it already, with its place and its password."""
    named = {(line.path, line.text) for line in found.lines if line.searches and is_address(line.searches)}
    kept = {path: "".join(_kept(path, text, named)) for path, text in found.files.items()}
    return replace(found, files=kept)


def _kept(path: str, text: str, named: set[tuple[str, str]]) -> Iterator[str]:
    return (line for line in text.splitlines(keepends=True) if (path, line.rstrip("\n")) not in named)


def _is_wanted(line: Line) -> bool:
    """Whether it asks for a package."""
    return not line.is_constraint and bool(line.name or line.installs)


def _is_wheel(target: str) -> bool:
    return _AFTER_NAME.split(target, 1)[0].endswith(".whl") and not _VERSION_CONTROL.match(target)


def _address(target: str | None) -> str | None:
    return target if target and is_address(target) else None

"""`uv.lock` as requirements with hashes, apart for each index that it names. Nothing is resolved, asked or run for that.

Facts: https://docs.astral.sh/uv/concepts/projects/export/ and the lock's own format, version 1.
"""

from __future__ import annotations

import re
import tomllib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from controller.images.requirement_lines import LOCK, Line, normalised_name
from controller.images.requirements import collect
from controller.model.errors import Stalled

PROJECT = "pyproject.toml"
GROUP = "deployment"
"""The dependency group that is installed in place of the project's own dependencies, where there is one."""

_HASH = re.compile(r"--hash=(\S+)")
_PINNED = re.compile(r"[\w.-]+(?:\[[^\]]*\])?==(?P<version>[^\s;]+)")
_CLAUSE = re.compile(r"\s*(?P<operator>>=|~=|==|<)\s*(?P<major>\d+)\.(?P<minor>\d+)(?P<rest>\.\*|\.\d+)?\s*")


@dataclass(frozen=True, slots=True)
class Lock:
    """The texts of `uv.lock` and of the `pyproject.toml` beside it."""

    text: str
    project: str

    @property
    def group(self) -> str | None:
        """The group to install, None for the project's own dependencies."""
        groups = _toml(PROJECT, self.project).get("dependency-groups")
        return GROUP if isinstance(groups, dict) and GROUP in groups else None

    @property
    def has_local(self) -> bool:
        """Whether parts of the code may be among what it names, beside the project itself."""
        packages = _toml(LOCK, self.text).get("package")
        places = [_place(package) for package in packages] if isinstance(packages, list) else []
        return any(place not in (None, ".") for place in places)

    def require_python(self, version: str) -> None:
        """Raises Stalled where the lock is not for the Python `major.minor`."""
        wanted = _toml(LOCK, self.text).get("requires-python")
        if isinstance(wanted, str) and not _admits(wanted, version):
            hint = "use a base image with such a Python, or change `requires-python` in pyproject.toml and run `uv lock`"
            raise Stalled(f"uv.lock is for Python {wanted}, and the image's is {version}", hint=hint)


def by_index(lock: Lock, exported: str) -> dict[str, str]:
    """What uv exported from the lock, by the address of its index; the empty address stands for what comes from none."""
    origins = _origins(_toml(LOCK, lock.text))
    texts: dict[str, list[str]] = defaultdict(list)
    for line in collect(exported, no_file, LOCK).lines:
        address = _origin(line, origins)
        if address and "://" not in address:
            hint = "publish it in an index, or commit the wheel and name its file in requirements-deployment.txt"
            raise Stalled(f"uv.lock takes {line.name} from the directory `{address}`, which is not read", hint=hint)
        texts[address].append(f"{line.text}\n")
    return {address: "".join(lines) for address, lines in sorted(texts.items())}


def _origin(line: Line, origins: Mapping[str | tuple[str, str], str]) -> str:
    """The index of a line, which its hashes decide; packages of one name and version may come from two."""
    pinned = None if line.installs else _PINNED.match(line.text)
    if not pinned:
        return ""
    keys = (*_HASH.findall(line.text), (line.name, pinned["version"]))
    return next((origins[key] for key in keys if key in origins), "")


def _origins(document: Mapping[str, Any]) -> dict[str | tuple[str, str], str]:
    """From hashes, and from names with versions, to the index that the lock took them from."""
    found: dict[str | tuple[str, str], str] = {}
    for package in document["package"]:
        address = package["source"].get("registry")
        if address:
            found.setdefault((normalised_name(package["name"]), package["version"]), address)
            found.update(dict.fromkeys(_hashes(package), address))
    return found


def _hashes(package: Mapping[str, Any]) -> Iterator[str]:
    for file in (*package.get("wheels", ()), package.get("sdist", {})):
        if "hash" in file:
            yield file["hash"]


def _place(package: Any) -> str | None:
    """The path below the code's root that a package of a lock lies at."""
    source = package.get("source") if isinstance(package, dict) else None
    kinds = ("directory", "editable", "path", "virtual")
    return next((source[kind] for kind in kinds if kind in source), None) if isinstance(source, dict) else None


def no_file(path: str) -> None:
    """An export includes no other file."""


def _toml(name: str, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise Stalled(f"{name} cannot be read: {error}", hint=f"correct {name}; `uv lock` writes uv.lock") from error


def _admits(wanted: str, version: str) -> bool:
    have = tuple(int(part) for part in version.split("."))
    return all(_fits(clause, have) for part in wanted.split(",") if (clause := _CLAUSE.fullmatch(part)))


def _fits(clause: re.Match[str], have: tuple[int, ...]) -> bool:
    """Whether some release of a Python `(major, minor)` fits; what cannot be said of that alone does."""
    named, operator, rest = (int(clause["major"]), int(clause["minor"])), clause["operator"], clause["rest"]
    if operator == "<":
        return have <= named if rest and rest != ".0" else have < named
    if operator == "==" or (rest and operator == "~="):
        return have == named
    return have >= named

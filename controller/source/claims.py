"""The few things that the source itself must know of declared files: which commit, which code, which paths in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from controller.loading.documents import parse
from controller.loading.nodes import MapNode, find, location, text_of
from controller.model.diagnostics import Location


@dataclass(frozen=True, slots=True)
class VersionClaim:
    """What a version's text says of its code. `paths` are those of its `files`, below the code's root."""

    commit: str | None
    place: Location
    paths: frozenset[str]


@dataclass(frozen=True, slots=True)
class CodePlace:
    """Where a project's code lies: another repository or None for this one, and a directory in it (empty: its root)."""

    repository: str | None = None
    path: str = ""
    place: Location = Location("")


def version_claim(text: bytes, file: str) -> VersionClaim:
    """Read from the scalars' text: a commit may be all digits. What is malformed is the loader's to report."""
    root = parse(text).root
    commit = find(root, "commit")
    return VersionClaim(text_of(commit), location(file, commit), frozenset(_paths(find(root, "files"))))


def _paths(files: object) -> Iterator[str]:
    for _, endpoint in files.items() if isinstance(files, MapNode) else ():
        for _, content in endpoint.items() if isinstance(endpoint, MapNode) else ():
            path = text_of(find(content, "path"))
            if path:
                yield str(PurePosixPath(path))


def code_place(project: bytes, file: str) -> CodePlace:
    """The `code` of project.yaml."""
    code = find(parse(project).root, "code")
    path = str(PurePosixPath(text_of(find(code, "path")) or "."))
    return CodePlace(text_of(find(code, "repository")), "" if path == "." else path, location(file, code))


def project_claim(project: bytes, file: str) -> tuple[str | None, ...]:
    """What of project.yaml decides which images its versions have, and where they lie."""
    root, code = parse(project).root, code_place(project, file)
    return text_of(find(root, "owner")), text_of(find(root, "name")), code.repository, code.path

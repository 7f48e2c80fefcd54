"""The code of a version, straight from git's object store: its tree, the files that decide, and every byte for an image."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from controller.model.errors import Stalled
from controller.model.source import CodeTree, TreeEntry
from controller.source import refusal
from controller.source.objects import EXECUTABLE, REGULAR, SUBMODULE, SYMLINK, Entry, ObjectReader

TEXT_LIMIT = 1 << 20
"""Bytes of `valohai.yaml` and of requirements."""

GOLDEN_LIMIT = 8 << 20
"""Bytes of one file below `golden/`."""

GOLDEN_TOTAL = 64 << 20
"""Bytes of all files below `golden/` of one version."""

IMAGE_FILES = 500_000
"""Files of one code tree."""

DEPTH = 64
REQUIREMENTS = ("requirements-deployment.txt", "requirements.txt")
LOCK = "uv.lock"
_REMEMBERED = 4096


@dataclass(frozen=True, slots=True)
class Problem:
    """Something in the code that a version cannot use; `path` lies below the code's root."""

    code: str
    message: str
    path: str
    hint: str


@dataclass(frozen=True, slots=True)
class Code:
    """What git says of the code at one commit. Equal code is one object, however many versions have it."""

    tree: CodeTree
    valohai: bytes | None
    requirements: bytes | None
    locked: bool
    golden: dict[str, bytes]
    top: dict[str, Entry]
    problems: tuple[Problem, ...]


class Codebase:
    """The code of one repository below `path`, without the directory `excluded` (both relative to the repository)."""

    def __init__(self, objects: ObjectReader, repository: str, path: str, excluded: str | None) -> None:
        self.objects = objects
        self.repository = repository
        self.path = path
        self._excluded = _below(path, excluded)
        self._known: dict[tuple[tuple[str, str, str], ...], Code] = {}

    def at(self, root: str) -> Code | None:
        """The code of a commit's root tree; None where `path` is no directory there."""
        top = self.objects.find(root, self.path) if self.path else Entry("", "040000", root)
        if top is None or not top.is_directory:
            return None
        entries = tuple(_without(self.objects, top.id, self._excluded, ""))
        known = self._known.get(entries)
        if known is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            known = self._known[entries] = self._read(entries)
        return known

    def named(self, code: Code, paths: frozenset[str]) -> tuple[dict[str, str], tuple[Problem, ...]]:
        """Path to blob of the top level's files and of those that a version names, and what is wrong with the latter."""
        files = {name: entry.id for name, entry in code.top.items() if entry.is_file}
        problems: list[Problem] = []
        for path in sorted(paths):
            entry = self._entry(code, path)
            if entry is not None and entry.is_file:
                files[path] = entry.id
                problems += self._pointer_problem(path, entry)
            elif entry is not None:
                problems.append(_not_regular(path, entry))
        return files, tuple(problems)

    def _entry(self, code: Code, path: str) -> Entry | None:
        for place in (PurePosixPath(path), *PurePosixPath(path).parents):
            top = code.top.get(str(place))
            if top is not None:
                rest = str(PurePosixPath(path).relative_to(place))
                return top if rest == "." else self._inside(top, rest)
        return None

    def _inside(self, directory: Entry, path: str) -> Entry | None:
        return self.objects.find(directory.id, path) if directory.is_directory else None

    def _pointer_problem(self, path: str, entry: Entry) -> list[Problem]:
        text = self.objects.blob(entry.id, refusal.LFS_POINTER_LIMIT)
        if text is None or not text.startswith(refusal.LFS_POINTER):
            return []
        hint = "give the file by `url` and `sha256`; the pointer names the digest in its line `oid`"
        return [Problem("PM506", f"`{path}` is a Git LFS pointer, and LFS content is not read", path, hint)]

    def _read(self, entries: tuple[tuple[str, str, str], ...]) -> Code:
        top = {path: Entry(path, mode, blob) for path, mode, blob in entries}
        problems: list[Problem] = []
        valohai = self._text(top, "valohai.yaml", problems)
        requirements = next((self._text(top, name, problems) for name in REQUIREMENTS if name in top), None)
        locked = LOCK in top and top[LOCK].is_file and not any(name in top for name in REQUIREMENTS)
        golden = dict(self._golden(top.get("golden"), problems))
        tree = CodeTree(self.repository, self.path, entries)
        return Code(tree, valohai, requirements, locked, golden, top, tuple(problems))

    def _text(self, top: dict[str, Entry], name: str, problems: list[Problem]) -> bytes | None:
        entry = top.get(name)
        if entry is None:
            return None
        if not entry.is_file:
            problems.append(_not_regular(name, entry))
            return None
        return self._limited(name, entry, TEXT_LIMIT, problems)

    def _limited(self, path: str, entry: Entry, limit: int, problems: list[Problem]) -> bytes | None:
        data = self.objects.blob(entry.id, limit)
        if data is None:
            message = f"`{refusal.shown(path)}` is missing in git, or larger than {limit >> 10:,} KiB"
            problems.append(Problem("PM503", message, path, "make the file smaller"))
        return data

    def _golden(self, top: Entry | None, problems: list[Problem]) -> Iterator[tuple[str, bytes]]:
        total = 0
        for path, entry in self._walk(top, "golden", problems) if top and top.is_directory else ():
            data = self._limited(path, entry, GOLDEN_LIMIT, problems)
            total += len(data or b"")
            if total > GOLDEN_TOTAL:
                message = f"the files below `golden/` have more than {GOLDEN_TOTAL >> 20} MiB"
                problems.append(Problem("PM503", message, "golden", "keep golden requests small"))
                return
            if data is not None:
                yield path, data

    def _walk(self, top: Entry, at: str, problems: list[Problem]) -> Iterator[tuple[str, Entry]]:
        for entry in self.objects.tree(top.id):
            path = f"{at}/{entry.name}"
            reason = refusal.unsafe_name(entry.name)
            if reason or path.count("/") > DEPTH:
                message = f"the name `{refusal.shown(path)}` is refused: {reason or 'it is nested too deep'}"
                problems.append(Problem("PM502", message, path, "rename it"))
            elif entry.is_directory:
                yield from self._walk(entry, path, problems)
            elif entry.is_file:
                yield path, entry
            else:
                problems.append(_not_regular(path, entry))


class GitCode:
    """The bytes behind code trees. Implements `ports.CodeReader` over the object stores where they may lie, in this order."""

    def __init__(self, *stores: ObjectReader) -> None:
        self._stores = stores

    def entries(self, code: CodeTree) -> Sequence[TreeEntry]:
        """Every file of the tree, sorted by path; refuses what cannot be in an image (`Stalled`)."""
        store = self._store_of(*(entry for _, _, entry in code.entries))
        files = sorted(_all_files(store, code))
        sizes = store.infos([blob for _, _, blob in files])
        missing = next((path for path, _, blob in files if blob not in sizes), None)
        if missing is not None:
            raise Stalled(f"the bytes of `{missing}` are missing in git", hint="git fsck")
        return [TreeEntry(path, mode, blob, sizes[blob].size) for path, mode, blob in files]

    def read(self, blob: str) -> Iterator[bytes]:
        """One blob's bytes in blocks of at most 1 MiB."""
        return self._store_of(blob).blocks(blob)

    def close(self) -> None:
        """End the processes; the next read starts them again."""
        for store in self._stores:
            store.close()

    def close_unused(self) -> None:
        """End the processes that nobody asked since the last call: a source does this at every look."""
        for store in self._stores:
            store.close_unused()

    def _store_of(self, *ids: str) -> ObjectReader:
        """The first store that has all of these, and so all below them; else the last, which says what is missing."""
        found = next((store for store in self._stores[:-1] if all(map(store.info, ids))), None)
        return found or self._stores[-1]


def _all_files(store: ObjectReader, code: CodeTree) -> Iterator[tuple[str, str, str]]:
    for count, (path, entry) in enumerate(_files(store, (("", Entry(p, m, i)) for p, m, i in code.entries), 0)):
        if count >= IMAGE_FILES:
            raise Stalled(f"the code has more than {IMAGE_FILES:,} files", hint="narrow it by `code.path` in project.yaml")
        yield path, EXECUTABLE if entry.mode == EXECUTABLE else REGULAR, entry.id


def _files(store: ObjectReader, entries: Iterator[tuple[str, Entry]], depth: int) -> Iterator[tuple[str, Entry]]:
    for at, entry in entries:
        path = at + entry.name
        if depth > DEPTH or not _is_portable(path):
            raise Stalled(f"the path `{refusal.shown(path)}` of the code is refused", hint="rename it")
        if entry.is_directory:
            yield from _files(store, ((f"{path}/", below) for below in store.tree(entry.id)), depth + 1)
        elif entry.is_file:
            yield path, entry
        else:
            problem = _not_regular(path, entry)
            raise Stalled(problem.message, hint=problem.hint)


def _is_portable(path: str) -> bool:
    """Whether a path can be written to a disk, and stays below where it is written."""
    parts = path.split("/")
    return path.isprintable() and not any(part in {"", ".", ".."} or part.lower() == ".git" for part in parts)


def _not_regular(path: str, entry: Entry) -> Problem:
    kinds = {SYMLINK: "a symbolic link", SUBMODULE: "a submodule", "040000": "a directory"}
    message = f"`{refusal.shown(path)}` is {kinds.get(entry.mode, 'something else')}, not a file"
    return Problem("PM501", message, path, "replace it by the file itself; links and submodules do not get into images")


def _below(path: str, directory: str | None) -> str | None:
    """`directory` relative to `path`; None where it does not lie below."""
    if directory is None or not PurePosixPath(directory).is_relative_to(path or "."):
        return None
    return str(PurePosixPath(directory).relative_to(path or "."))


def _without(objects: ObjectReader, tree: str, excluded: str | None, at: str) -> Iterator[tuple[str, str, str]]:
    """A directory's entries; the one on the way to what is excluded is taken apart, so that its id says nothing of that."""
    first, _, rest = (excluded or "").partition("/")
    for entry in objects.tree(tree):
        if entry.name != first or not entry.is_directory:
            yield at + entry.name, entry.mode, entry.id
        elif rest:
            yield from _without(objects, entry.id, rest, f"{at}{entry.name}/")

"""Reads the files below the declared directory: from a commit's tree, or as they lie on the disk."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from controller.model.diagnostics import Diagnostic
from controller.model.errors import Stalled, Transient
from controller.source import refusal
from controller.source.objects import SYMLINK, Entry, ObjectReader

DEPTH = 8
"""Directories below the declared one; the format needs three."""


@dataclass(slots=True)
class DeclaredFiles:
    """Paths relative to the repository, to their bytes; what was refused is among the diagnostics."""

    directory: str
    files: dict[str, bytes] = field(default_factory=dict)
    diagnostics: list[Diagnostic] = field(default_factory=list)
    blobs: dict[str, bytes] = field(default_factory=dict)
    """What was read from git, by blob id: equal bytes are held once, and the next look need not read them again."""

    def refuse(self, path: str, reason: str) -> None:
        self.diagnostics.append(refusal.unsafe(path, reason, refusal.subject_of(self.directory, path)))

    def refuse_kind(self, path: str, mode: str) -> None:
        entry = Entry(PurePosixPath(path).name, mode, "")
        self.diagnostics.append(refusal.not_regular(entry, path, refusal.subject_of(self.directory, path)))

    def add(self, path: str, data: bytes | None) -> None:
        """None stands for bytes that are too many."""
        if len(self.files) >= refusal.DECLARED_FILES:
            raise Stalled(f"more than {refusal.DECLARED_FILES:,} files below {self.directory}/")
        if data is None:
            subject = refusal.subject_of(self.directory, path)
            self.diagnostics.append(refusal.too_large(path, refusal.DECLARED_LIMIT, subject))
        else:
            self.files[path] = data


def checked_directory(directory: str) -> str:
    """A declared directory that stays inside the repository. Raises `Stalled` for any other."""
    parts = PurePosixPath(directory).parts
    if not parts or any(refusal.unsafe_name(part) for part in parts):
        raise Stalled(f"{directory!r} is no directory of the repository", hint="name one below its root, such as pointsman")
    return "/".join(parts)


def from_tree(objects: ObjectReader, root: str, directory: str, known: Mapping[str, bytes]) -> DeclaredFiles:
    """The declared files of a commit's root tree. `known` are bytes by blob id that need not be read again."""
    top = objects.find(root, directory)
    found = DeclaredFiles(directory)
    if top is not None and top.is_directory:
        for path, entry in _walk_tree(objects, top.id, directory, DEPTH):
            _take(objects, path, entry, found, known)
    return found


def _take(objects: ObjectReader, path: str, entry: Entry, found: DeclaredFiles, known: Mapping[str, bytes]) -> None:
    reason = refusal.unsafe_name(entry.name)
    if reason or entry.is_directory:
        found.refuse(path, reason or "it is nested too deep")
    elif entry.is_file:
        found.add(path, _bytes(objects, entry.id, found.blobs, known))
    else:
        found.refuse_kind(path, entry.mode)


def _walk_tree(objects: ObjectReader, tree: str, at: str, depth: int) -> Iterator[tuple[str, Entry]]:
    """Everything but directories; one that is refused is given as it is."""
    for entry in objects.tree(tree):
        path = f"{at}/{entry.name}"
        if entry.is_directory and depth and not refusal.unsafe_name(entry.name):
            yield from _walk_tree(objects, entry.id, path, depth - 1)
        else:
            yield path, entry


def _bytes(objects: ObjectReader, blob: str, held: dict[str, bytes], known: Mapping[str, bytes]) -> bytes | None:
    data = held.get(blob, known.get(blob))
    if data is None:
        if objects.info(blob) is None:
            raise Transient(f"git object {blob} of the declared files is missing")
        data = objects.blob(blob, refusal.DECLARED_LIMIT)
    if data is not None:
        held[blob] = data
    return data


def from_disk(root: Path, directory: str) -> DeclaredFiles:
    """The declared files as they lie in a working directory, without what editors leave there."""
    found = DeclaredFiles(directory)
    if any((root / part).is_symlink() for part in (PurePosixPath(directory), *PurePosixPath(directory).parents[:-1])):
        raise Stalled(f"{directory}/ is a symbolic link", hint="replace it by the directory itself")
    for path, entry in _walk_disk(root, directory, DEPTH):
        reason = refusal.unsafe_name(entry.name)
        mode = entry.stat(follow_symlinks=False).st_mode
        if reason or stat.S_ISDIR(mode):
            found.refuse(path, reason or "it is nested too deep")
        elif stat.S_ISREG(mode):
            found.add(path, _disk_bytes(Path(entry.path)))
        else:
            found.refuse_kind(path, SYMLINK if stat.S_ISLNK(mode) else oct(stat.S_IFMT(mode)))
    return found


def disk_token(root: Path, directory: str) -> tuple[tuple[str, int, int, int], ...]:
    """(path, size, mtime, inode) of every declared file: differs after every edit."""
    entries = ((path, entry.stat(follow_symlinks=False)) for path, entry in _walk_disk(root, directory, DEPTH))
    return tuple((path, s.st_size, s.st_mtime_ns, s.st_ino) for path, s in entries)


def _walk_disk(root: Path, at: str, depth: int) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Files in order of their names; a directory that is too deep is given as it is."""
    try:
        with os.scandir(root / at) as entries:
            listed = sorted(entries, key=lambda e: e.name)
    except (FileNotFoundError, NotADirectoryError):
        return
    for entry in listed:
        path = f"{at}/{entry.name}"
        if entry.is_dir(follow_symlinks=False) and depth:
            yield from _walk_disk(root, path, depth - 1)
        elif not _is_left_by_editor(entry.name):
            yield path, entry


def _is_left_by_editor(name: str) -> bool:
    """Swap files, backups, `.DS_Store`, `.#lock`: they come and go while somebody types."""
    return name.startswith(".") or name.endswith(("~", ".swp", ".tmp")) or (name.startswith("#") and name.endswith("#"))


def _disk_bytes(path: Path) -> bytes | None:
    """A link that takes the file's place in between is not followed."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        data = file.read(refusal.DECLARED_LIMIT + 1)
    return data if len(data) <= refusal.DECLARED_LIMIT else None

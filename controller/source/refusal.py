"""What a repository may not contain where we read it, and what such a mistake holds."""

from __future__ import annotations

from pathlib import PurePosixPath

from controller.model.diagnostics import PROJECT, Diagnostic, Location, Severity, Subject
from controller.source.objects import SUBMODULE, SYMLINK, Entry

DECLARED_LIMIT = 1 << 20
"""Bytes of one declared file."""

DECLARED_FILES = 100_000
"""Files below the declared directory."""

LFS_POINTER = b"version https://git-lfs.github.com/spec/"
LFS_POINTER_LIMIT = 1024
_KINDS = {SYMLINK: "a symbolic link", SUBMODULE: "a submodule"}
_LAST_CONTROL_CHARACTER = 0x1F


def unsafe_name(name: str) -> str | None:
    """Why a file name from a repository is not used, or None. git itself lets a crafted tree say anything."""
    if name in {"", ".", ".."} or "/" in name or "\\" in name:
        return "it would lead to another directory"
    if name.lower() == ".git":
        return "it is git's own"
    if name.startswith("-"):
        return "programs would take it for an option"
    if any(ord(c) <= _LAST_CONTROL_CHARACTER or ord(c) == 0x7F or 0xD800 <= ord(c) <= 0xDFFF for c in name):
        return "it has control characters or is not UTF-8"
    return None


def shown(path: str) -> str:
    """A hostile path, fit for a terminal."""
    return "".join(c if c.isprintable() else "?" for c in path)


def subject_of(directory: str, path: str) -> Subject:
    """What a file below the declared directory is about, and so what a mistake in it holds."""
    try:
        parts = PurePosixPath(path).relative_to(directory).parts
    except ValueError:
        return PROJECT
    match parts:
        case ("versions", file):
            return Subject("version", file.removesuffix(".yaml"))
        case ("deployments", deployment, "aliases", file):
            return Subject("alias", f"{deployment}/{file.removesuffix('.yaml')}")
        case ("deployments", deployment, *_):
            return Subject("deployment", deployment)
    return PROJECT


def not_regular(entry: Entry, path: str, subject: Subject) -> Diagnostic:
    """A link or submodule where a file is wanted."""
    kind = _KINDS.get(entry.mode, f"of mode {entry.mode}")
    hint = "replace it by a regular file with the content itself"
    return error("PM501", f"`{shown(path)}` is {kind}, not a file", path, subject, hint)


def unsafe(path: str, reason: str, subject: Subject) -> Diagnostic:
    """A name that is not used."""
    hint = "rename it; `git ls-tree` shows the name"
    return error("PM502", f"the name `{shown(path)}` is refused: {reason}", path, subject, hint)


def too_large(path: str, limit: int, subject: Subject) -> Diagnostic:
    """A file that is not read at all."""
    hint = "declared files hold settings; put data into the code or behind a URL with sha256"
    return error("PM503", f"`{shown(path)}` is larger than {limit >> 10:,} KiB", path, subject, hint)


def error(code: str, message: str, path: str, subject: Subject, hint: str) -> Diagnostic:
    """A mistake of the repository at a file as a whole."""
    return Diagnostic(code, Severity.ERROR, message, Location(shown(path)), subject, hint)

"""Paths that a repository writes: relative, inside their root, the same on every system."""

from __future__ import annotations

import posixpath

MAX_PATH = 1000


def path_mistake(path: str) -> str | None:
    """What is wrong with a path below the code directory, in words; None if nothing is."""
    if path.startswith("/") or path[1:2] == ":":
        return "is absolute; write it relative to the code directory"
    if "\\" in path or any(ord(character) < 32 or ord(character) == 127 for character in path):
        return "holds a backslash or a control character"
    if ".." in path.split("/"):
        return "leaves the code directory with `..`"
    plain = posixpath.normpath(path)
    if plain == ".":
        return "names the code directory itself"
    if plain == ".git" or plain.startswith(".git/"):
        return "lies in git's own directory"
    return "is too long" if len(path) > MAX_PATH else None


def joined(directory: str, path: str) -> str | None:
    """`path` seen from `directory`, or None where it leaves the root."""
    if path.startswith("/") or "\\" in path or "\0" in path:
        return None
    form = posixpath.normpath(posixpath.join(directory, path))
    return None if form == ".." or form.startswith("../") else form

"""The comment that tells an editor which schema a file has: taken over from the files beside it."""

from __future__ import annotations

from collections.abc import Iterable

_MODELINE = b"# yaml-language-server: $schema="


def modeline_like(files: Iterable[bytes]) -> str:
    """The first line of the first of `files` that names a schema, with its newline; empty where none does."""
    lines = (data.split(b"\n", 1)[0].strip() for data in files)
    found = next((line for line in lines if line.startswith(_MODELINE)), None)
    return f"{found.decode(errors='replace')}\n" if found else ""

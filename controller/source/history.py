"""What an alias pointed at, one change after the other: for `rollback` and `history`."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from controller.loading.documents import parse
from controller.loading.nodes import find, text_of
from controller.model.errors import Stalled
from controller.source import refusal
from controller.source.git import Git
from controller.source.objects import FILES, ObjectReader

_FORMAT = "%x01%H%x02%ct%x02%an%x02%s"


@dataclass(frozen=True, slots=True)
class AliasChange:
    """A commit of the first-parent line that changed an alias file. `version` is None where it removed the file.

    `at` is the commit's time in seconds since the epoch; a file that names no version has an empty text.
    """

    commit: str
    at: float
    author: str
    subject: str
    version: str | None


def alias_history(git: Git, path: str, *, head: str = "HEAD") -> tuple[AliasChange, ...]:
    """Newest first. `path` is relative to the repository. Renames are off."""
    shape = ("--first-parent", "-m", "--raw", "-z", "--no-renames", "--no-abbrev", f"--format={_FORMAT}")
    output = git.run("log", *shape, "--end-of-options", head, "--", f":(top,literal){path}", timeout=600.0)
    fields = [field.lstrip(b"\n") for field in output.split(b"\0")]
    with ObjectReader(git) as objects:
        pairs = pairwise(fields)
        return tuple(
            _change(objects, header, raw) for header, raw in pairs if header.startswith(b"\x01") and raw.startswith(b":")
        )


def _change(objects: ObjectReader, header: bytes, raw: bytes) -> AliasChange:
    commit, at, author, subject = header[1:].decode(errors="replace").split("\x02", 3)
    _, mode, _, blob, letter = raw[1:].decode().split()
    version = None if letter == "D" else _version(objects, blob) if mode in FILES else ""
    return AliasChange(commit, float(at), refusal.shown(author), refusal.shown(subject), version)


def _version(objects: ObjectReader, blob: str) -> str:
    text = objects.blob(blob, refusal.DECLARED_LIMIT)
    if text is None:
        raise Stalled(f"git object {blob} is missing or too large", hint="git fsck")
    return text_of(find(parse(text).root, "version")) or ""

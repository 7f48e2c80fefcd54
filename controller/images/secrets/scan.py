"""One file of the code, looked through once: a bounded part of it, in a time proportional to that."""

from __future__ import annotations

from collections.abc import Iterator

from controller.images.secrets.finding import Finding
from controller.images.secrets.keys import WHAT, private_keys
from controller.images.secrets.names import named_secrets
from controller.images.secrets.placeholders import is_placeholder
from controller.images.secrets.tokens import TOKENS

RULES = 1
"""Raised whenever the rules change, so that code that was found clean before is looked at again."""

LONGEST = 1 << 20
"""Bytes of a file that are looked at, from its beginning."""

_TEXT = 8000
"""Bytes without a NUL among them make a file text, as for git."""


def scan(path: str, beginning: bytes) -> Iterator[Finding]:
    """What a file holds: at most one finding of each kind. `beginning` are its first bytes, at most `LONGEST` count."""
    data = beginning[:LONGEST]
    seen = set()
    for at, what in (*named_secrets(path, data), *_in_text(data)):
        if what not in seen:
            seen.add(what)
            yield Finding(path, data.count(b"\n", 0, at) + 1 if at >= 0 else 0, what)


def _in_text(data: bytes) -> Iterator[tuple[int, str]]:
    if b"\0" in data[:_TEXT]:
        return
    key = next(private_keys(data), None)
    if key is not None:
        yield key, WHAT
    for token in TOKENS:
        found = next((at for at, secret in token.occurrences(data) if not is_placeholder(secret)), None)
        if found is not None:
            yield found, token.what

"""Private keys in a text: a block in PEM's form, also inside a string of a program, with a body that can be a key."""

from __future__ import annotations

import re
from collections.abc import Iterator

from controller.images.secrets.placeholders import is_monotonous

WHAT = "a private key"
_BEGIN = re.compile(rb"-----BEGIN (?:[A-Z0-9]{2,20} ){0,3}PRIVATE KEY(?: BLOCK)?-----")
_ANCHOR = b"-----BEGIN "
_PUTTY, _PRIVATE = b"PuTTY-User-Key-File-", b"Private-Lines:"
_WINDOW = 1000
"""Bytes behind the first line in which the body has to begin; headers such as `DEK-Info` come before it."""
_BODY = re.compile(rb"[A-Za-z0-9+/]{40,}")
"""The first line of a key; no word of a text about keys is so long."""


def private_keys(data: bytes) -> Iterator[int]:
    """Positions of the blocks that hold a key, in PEM's, OpenSSH's, PGP's or PuTTY's form."""
    at = data.find(_ANCHOR)
    while at >= 0:
        found = _BEGIN.match(data, at)
        if found and _has_body(data[found.end() : found.end() + _WINDOW]):
            yield at
        at = data.find(_ANCHOR, at + 1)
    at = data.find(_PUTTY)
    private = data.find(_PRIVATE, at) + len(_PRIVATE) if at >= 0 else -1
    if private >= len(_PRIVATE) and _has_body(data[private : private + _WINDOW].partition(b"\n")[2]):
        yield at


def _has_body(window: bytes) -> bool:
    found = _BODY.search(window.partition(b"-----")[0])
    return found is not None and not is_monotonous(found[0])

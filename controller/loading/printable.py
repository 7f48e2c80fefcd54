"""What a repository wrote, safe to print: no control characters (a terminal would obey them), no endless lines."""

from __future__ import annotations

import re
from dataclasses import replace

from controller.model.diagnostics import Diagnostic

MAX_LENGTH = 600

LOGIN = re.compile(r"(?<=://)[^/\s]+@")
"""User and password of an address, with their `@`."""


def printable(diagnostic: Diagnostic) -> Diagnostic:
    """The same diagnostic with every unprintable character escaped."""
    message, hint = shown(diagnostic.message), diagnostic.hint and shown(diagnostic.hint)
    place = replace(diagnostic.location, file=shown(diagnostic.location.file))
    return replace(diagnostic, message=message, hint=hint, location=place)


def shown(text: str) -> str:
    """Text in one line, at most `MAX_LENGTH` characters and a mark that some are left out."""
    short = text if len(text) <= MAX_LENGTH else f"{text[:MAX_LENGTH]}..."
    if short.isprintable():
        return short
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in short)


def without_logins(text: str) -> str:
    """The same without the users and passwords of its addresses."""
    return LOGIN.sub("***@", text)

"""What a program printed before it ended, as the one line that says why."""

from __future__ import annotations

import re

_LONGEST = 300
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]+")
_TRACEBACK = "Traceback (most recent call last):"

# gunicorn's own log ("Worker failed to boot") comes after the reason, which the application or its loader printed.
_SERVERS_LOG = re.compile(r"\[\d{4}-\d\d-\d\d [^\]]*\] \[\d+\] \[[A-Z]+\] ")


def last_words(text: str) -> str:
    """The exception of the last traceback; else the last line that is not the WSGI server's; else the last line."""
    lines = [line for line in text.splitlines() if line.strip()]
    own = [line for line in lines if not _SERVERS_LOG.match(line)]
    return one_line(_exception(lines) or (own or lines or [""])[-1])


def one_line(text: str) -> str:
    """One short printable line: what a program printed must not move the reader's cursor."""
    plain = _CONTROL.sub(" ", text).strip()
    return plain if len(plain) <= _LONGEST else plain[: _LONGEST - 1] + "…"


def _exception(lines: list[str]) -> str | None:
    """The first line after the last traceback that is not indented as its frames are."""
    starts = [number for number, line in enumerate(lines) if line.strip() == _TRACEBACK]
    if not starts:
        return None
    return next((line for line in lines[starts[-1] + 1 :] if not line.startswith((" ", "\t"))), None)

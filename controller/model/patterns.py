"""Patterns with `*`, as configurations and repositories write them. None makes matching slow."""

from __future__ import annotations

from collections.abc import Sequence


def matches(pattern: str, text: str) -> bool:
    """Whether `text` is the pattern, whose `*` stands for any characters or none."""
    first, *rest = pattern.split("*")
    if not rest:
        return text == pattern
    if not text.startswith(first) or not text.endswith(rest[-1]):
        return False
    at, end = len(first), len(text) - len(rest[-1])
    for part in rest[:-1]:
        found = text.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return at <= end


def path_matches(pattern: str, path: str) -> bool:
    """Whether a path is the pattern: `*` stands for anything inside one name, `**` for any directories or none."""
    return _parts_match(pattern.split("/"), path.split("/"))


def _parts_match(pattern: Sequence[str], parts: Sequence[str]) -> bool:
    """By going back to the last `**` only, which is enough: an earlier one could take no more than it can."""
    at = here = 0
    star, resumed = -1, 0
    while here < len(parts):
        if at < len(pattern) and pattern[at] == "**":
            star, resumed = at, here
            at += 1
        elif at < len(pattern) and matches(pattern[at], parts[here]):
            at, here = at + 1, here + 1
        elif star >= 0:
            resumed += 1
            at, here = star + 1, resumed
        else:
            return False
    return all(part == "**" for part in pattern[at:])

"""Patterns with `*`, as configurations and repositories write them. No pattern makes matching slow."""

from __future__ import annotations


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

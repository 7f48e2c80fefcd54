"""How large what goes into an image may be, in bytes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """`code` is all files of the code together, `image` all layers as they are pushed, those of the base included.

    `file` is one declared file; None is as much as the registry takes, where that is known, and at most `LARGEST_FILE`.
    """

    code: int = 1 << 30
    file: int | None = None
    image: int = 128 << 30


LARGEST_FILE = 64 << 30

"""What was found where. The secret itself is never kept, so that it cannot be printed."""

from __future__ import annotations

from typing import NamedTuple


class Finding(NamedTuple):
    """A secret in a file of the code: `line` counts from 1, 0 means the whole file; `what` names the rule."""

    path: str
    line: int
    what: str

    @property
    def place(self) -> str:
        return f"{self.path}:{self.line}" if self.line else self.path

"""Sizes as people write them: `500Mi`, `10Gi`, or plain bytes."""

from __future__ import annotations

import re

_SIZE = re.compile(r"([0-9]+)(Ki|Mi|Gi|Ti)?", re.ASCII)
_UNITS = {None: 0, "Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40}


def size_in_bytes(text: str) -> int:
    """The size in bytes. Raises ValueError for anything else; the schemas let nothing else through."""
    match = _SIZE.fullmatch(text)
    if match is None:
        raise ValueError(f"not a size: {text!r}")
    return int(match[1]) << _UNITS[match[2]]

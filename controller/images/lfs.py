"""Git LFS: what git holds in a file's place. Facts: https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md"""

from __future__ import annotations

from controller.model.ports import CodeReader
from controller.model.source import TreeEntry

_BEGINNING = b"version https://git-lfs.github.com/spec/v1"
_LONGEST = 1024
"""A pointer is smaller than this, by its specification."""


def is_pointer(code: CodeReader, entry: TreeEntry) -> bool:
    """Whether a file of the code is only a pointer to its bytes."""
    if not len(_BEGINNING) <= entry.size < _LONGEST:
        return False
    return b"".join(code.read(entry.blob)).startswith(_BEGINNING)

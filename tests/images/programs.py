"""A base image with programs of this machine that really run: a shell and a few that look at files."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from base_images import Tree

_PROGRAMS = ("dash", "cat", "id", "ls", "sha256sum", "stat")


def programs() -> Tree:
    """The programs below `/usr/bin`, with the libraries that they are linked to."""
    tree: dict[str, bytes | str] = {"bin": "usr/bin", "usr/bin/sh": "dash", "etc/passwd": b"root:x:0:0::/root:/bin/sh\n"}
    for name in _PROGRAMS:
        program = shutil.which(name)
        assert program, name
        tree[f"usr/bin/{name}"] = Path(program).read_bytes()
        tree |= {library[1:]: Path(library).resolve().read_bytes() for library in _libraries(program)}
    return tree


def _libraries(program: str) -> list[str]:
    linked = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    return [word for word in linked.split() if word.startswith("/")]

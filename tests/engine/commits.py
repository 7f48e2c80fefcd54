"""Commits of declared files to a repository that has none checked out."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

from bench.declared_repository import ENVIRONMENT

_HEADER = "commit refs/heads/main\ncommitter Somebody <somebody@example.com> 1700000000 +0000\n"


def commit_files(repository: Path, files: Mapping[str, str]) -> str:
    """One more commit of `main` with these files; its id."""
    changes = "".join(f"M 100644 inline {path}\ndata {len(text.encode())}\n{text}\n" for path, text in files.items())
    stream = f"{_HEADER}data 4\nedit\nfrom refs/heads/main^0\n{changes}"
    _git(repository, "fast-import", "--quiet", stdin=stream)
    return _git(repository, "rev-parse", "main").strip()


def _git(repository: Path, *arguments: str, stdin: str = "") -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=repository, env=ENVIRONMENT, input=stdin, text=True, check=True, stdout=subprocess.PIPE
    )
    return done.stdout

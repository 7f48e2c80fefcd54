"""Writes a directory as it lies on the disk to a git tree of our own, so that uncommitted code is read like any other.

Nothing is written to the directory itself: objects and index live in `<state>/worktree.git`, whole (of objects borrowed
from the person's repository, git would touch the times). `.gitignore` files hold, and the person's `.git/info/exclude` too.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from controller.model.errors import Stalled, Transient
from controller.source.git import Git
from controller.source.objects import SUBMODULE, ObjectReader
from controller.source.repository import Repository

_REFERENCE = "refs/pointsman/worktree"
_NEVER = (
    ".git",
    ".venv/",
    "__pycache__/",
    "*.pyc",
    ".mypy_cache/",
    ".pytest_cache/",
    ".ruff_cache/",
    "node_modules/",
    ".DS_Store",
)
"""Made by tools on this machine, worthless on another, and often in no `.gitignore`. Only for files that are not committed."""


class WorkTree:
    """The tree of a directory. Several processes may write at once; a killed one leaves nothing that disturbs the next."""

    def __init__(self, path: Path, state: Path) -> None:
        self.path = path
        self._git_dir = state / "worktree.git"
        self._excluded = _inside(path, state)
        self._lock = threading.Lock()
        self._files: tuple[str, ...] = ()
        repository = Repository.around(path)
        self._exclude_file = repository.common / "info" / "exclude" if repository else None
        self._is_ready = False
        self.git = Git(path, git_dir=self._git_dir, work_tree=path)
        self.objects = ObjectReader(self.git)

    def write(self) -> str:
        """The tree id of the directory as it lies there now."""
        with self._lock:
            try:
                self._prepare()
                with self._index() as index:
                    return self._write(index)
            except OSError as error:
                raise Transient(f"{error.filename or self._git_dir} cannot be written: {error.strerror}") from error

    def token(self) -> tuple[tuple[str, int, int], ...]:
        """(path, size, mtime) of every file of the last tree and every directory on the way: differs after every edit."""
        if not self._files:
            self.write()
        return tuple(self._stats())

    @contextmanager
    def _index(self) -> Iterator[Path]:
        """An index of its own, put in place when it is whole: git's lock files never outlive a killed process."""
        kept, own = self._git_dir / "index", self._git_dir / f"index.{os.getpid()}"
        try:
            if kept.exists():
                shutil.copyfile(kept, own)
            yield own
            own.replace(kept)
        finally:
            own.unlink(missing_ok=True)

    def _write(self, index: Path) -> str:
        environment = {"GIT_INDEX_FILE": str(index), "GIT_OPTIONAL_LOCKS": "1"}
        options = ("core.looseCompression=1", *self._ignore_options())
        git = Git(self.path, git_dir=self._git_dir, work_tree=self.path, environment=environment, options=options)
        git.run("add", "--all", "--", ".", timeout=600.0)
        tree = git.text("write-tree", timeout=600.0)
        listed = git.run("ls-files", "-z", "--stage").decode(errors="surrogateescape").split("\0")
        self._files = tuple(line.partition("\t")[2] for line in listed if line and not line.startswith(SUBMODULE))
        git.run("update-ref", _REFERENCE, tree)
        return tree

    def _ignore_options(self) -> tuple[str, ...]:
        file = self._exclude_file
        return (f"core.excludesFile={file}",) if file and file.is_file() else ()

    def _prepare(self) -> None:
        if self._is_ready:
            return
        self._git_dir.parent.mkdir(parents=True, exist_ok=True)
        shape = f"--object-format={self._object_format()}"
        Git(self._git_dir.parent).run("init", "--quiet", "--bare", shape, "--", str(self._git_dir))
        for left in self._git_dir.glob("index.*"):
            if not _is_running(left.name.split(".")[1]):
                left.unlink(missing_ok=True)
        ignored = (*_NEVER, *((f"/{self._excluded}",) if self._excluded else ()))
        _put(self._git_dir / "info" / "exclude", ignored)
        Git(self._git_dir, git_dir=self._git_dir).run("prune", "--expire=1.day.ago", timeout=600.0)
        self._is_ready = True

    def _object_format(self) -> str:
        """Trees are compared with those of the directory's own repository, so ids must have the same form."""
        repository = Repository.around(self.path)
        return "sha256" if repository and len(repository.head()) == 64 else "sha1"

    def _stats(self) -> Iterator[tuple[str, int, int]]:
        for path in (*self._files, *sorted(_directories(self._files))):
            try:
                found = os.lstat(self.path / path)
            except (FileNotFoundError, NotADirectoryError):
                yield path, -1, -1
            else:
                yield path, found.st_size, found.st_mtime_ns


def _directories(files: Iterable[str]) -> set[str]:
    """Every directory that holds one of the files, at any depth; a new file changes the mtime of its directory."""
    found = {""}
    for file in files:
        directory = file.rpartition("/")[0]
        while directory not in found:
            found.add(directory)
            directory = directory.rpartition("/")[0]
    return found


def _inside(path: Path, state: Path) -> str | None:
    """Where the state lies in the directory itself, if it does: it must not become a part of its own contents."""
    if path == state:
        raise Stalled(f"the state directory is {path} itself", hint="give another one by --state")
    return str(state.relative_to(path)) if state.is_relative_to(path) else None


def _is_running(pid: str) -> bool:
    """Whether the process still lives whose index this is."""
    try:
        os.kill(int(pid), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:
        return True
    return int(pid) != os.getpid()


def _put(file: Path, lines: Iterable[str]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(f"{line}\n" for line in lines))

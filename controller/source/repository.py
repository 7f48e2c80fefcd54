"""Where a git repository lies and which commit its branch names, read from its files: a look costs no process.

Layout: gitrepository-layout(5). What the files do not say plainly (reftable, odd references) is asked of git once.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from controller.model.errors import Stalled
from controller.source.git import Git

_DEPTH_OF_REFERENCES = 5


@dataclass(frozen=True, slots=True)
class Repository:
    """A git directory. `common` is where objects and branches lie: the same, but for a linked worktree."""

    git_dir: Path
    common: Path
    work_tree: Path | None = None

    @classmethod
    def at(cls, git_dir: Path, work_tree: Path | None = None) -> Repository:
        """The repository of a known git directory."""
        link = _read(git_dir / "commondir")
        return cls(git_dir, (git_dir / link).resolve() if link else git_dir, work_tree)

    @classmethod
    def around(cls, path: Path) -> Repository | None:
        """The repository whose working tree holds `path`, or None. Only files are read."""
        for directory in (path, *path.parents):
            found = _git_directory(directory)
            if found:
                return cls.at(found, directory)
        return None

    def git(self) -> Git:
        """Run git in this repository. Naming its directory also skips git's own search and its ownership check."""
        return Git(self.work_tree or self.git_dir, git_dir=self.git_dir)

    def is_shallow_at(self, commit: str) -> bool:
        """Whether the history was cut off below this commit."""
        return commit in _read(self.common / "shallow").split()

    def branch(self) -> str:
        """The checked-out branch, or `HEAD` when none is."""
        head = _read(self.git_dir / "HEAD")
        if head == "ref: refs/heads/.invalid":
            return self.git().text("rev-parse", "--abbrev-ref", "HEAD")
        return head.removeprefix("ref: refs/heads/") if head.startswith("ref: ") else "HEAD"

    def head(self) -> str:
        """The commit that is checked out; empty while the branch has none."""
        return self.commit_of("HEAD")

    def commit_of(self, reference: str) -> str:
        """The commit that a full reference names, or empty."""
        name = reference
        for _ in range(_DEPTH_OF_REFERENCES):
            value = self._value(name)
            if not value.startswith("ref: "):
                return value if _is_id(value) else self._ask(reference)
            name = value.removeprefix("ref: ").strip()
        raise Stalled(f"{self.git_dir}: {reference} leads through more than {_DEPTH_OF_REFERENCES} references")

    def _value(self, name: str) -> str:
        own = self.git_dir if name == "HEAD" else self.common
        return _read(own / name) or self._packed(name)

    def _packed(self, name: str) -> str:
        for line in _read(self.common / "packed-refs").splitlines():
            value, _, packed = line.partition(" ")
            if packed == name:
                return value
        return ""

    def _ask(self, reference: str) -> str:
        git = self.git()
        known = git.succeeds("rev-parse", "--verify", "--quiet", "--end-of-options", f"{reference}^{{commit}}")
        return git.text("rev-parse", "--verify", "--end-of-options", f"{reference}^{{commit}}").split()[-1] if known else ""


def _git_directory(directory: Path) -> Path | None:
    dot_git = directory / ".git"
    if (dot_git / "HEAD").is_file():
        return dot_git
    link = _read(dot_git)
    return (directory / link.removeprefix("gitdir: ")).resolve() if link.startswith("gitdir: ") else None


def _is_id(text: str) -> bool:
    return len(text) in {40, 64} and set(text) <= set("0123456789abcdef")


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return ""
    except OSError as error:
        raise Stalled(f"{path} cannot be read: {error.strerror}") from error

"""The first-parent line of a branch and what each of its commits did to the declared files.

One `git log` reads it; a new commit costs only what it adds. Renames are off: a moved file is a removed and an added one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from controller.model.errors import Stalled
from controller.source.git import Git

_HEADER = b"\x01"


@dataclass(frozen=True, slots=True)
class Touch:
    """A commit changed a path: `index` counts from the oldest commit of the line, `blob` is None where the path was removed."""

    index: int
    commit: str
    mode: str
    blob: str | None


@dataclass(slots=True)
class Line:
    """Commits from the oldest to the newest, and the touches of each path in the same order. Only `follow` changes it."""

    commits: list[str] = field(default_factory=list)
    indexes: dict[str, int] = field(default_factory=dict)
    touches: dict[str, list[Touch]] = field(default_factory=dict)
    trees: dict[str, str] = field(default_factory=dict)
    """Root trees of the commits that touched a declared file."""
    times: dict[str, float] = field(default_factory=dict)
    """When these were committed, in seconds since the epoch, as their committer says."""

    @property
    def head(self) -> str:
        return self.commits[-1] if self.commits else ""

    def position(self, index: int) -> int:
        """Counted from the newest commit, which is 0."""
        return len(self.commits) - 1 - index

    def changed(self) -> dict[str, int]:
        """Every path that was ever there, to the position of the last commit that changed it."""
        return {path: self.position(touches[-1].index) for path, touches in self.touches.items()}

    def changed_in(self) -> dict[str, str]:
        """The same paths, to that commit."""
        return {path: touches[-1].commit for path, touches in self.touches.items()}

    def was_there(self, path: str, since: float) -> bool:
        """Whether a path was there at a commit from `since` on."""
        last = self.touches[path][-1]
        return last.blob is not None or self.times[last.commit] >= since

    def texts_since(self, path: str, since: float) -> tuple[str, ...]:
        """The blobs that a path had at any commit from `since` on, the one of that moment included."""
        touches = self.touches.get(path, [])
        before = [t for t in touches if self.times[t.commit] < since][-1:]
        return tuple(dict.fromkeys(t.blob for t in touches if t.blob and (t in before or self.times[t.commit] >= since)))

    def first(self, path: str) -> Touch | None:
        """The oldest commit that holds a path."""
        return next((t for t in self.touches.get(path, ()) if t.blob), None)


def read_line(git: Git, head: str, directory: str, known: Line | None = None) -> Line:
    """The line that ends at `head`; `known` is extended where it is the beginning of that line, else left alone."""
    if known and known.head == head:
        return known
    if known and known.head and _extend(known, git, head, directory):
        return known
    line = Line()
    _append(line, list(_log(git, directory, head)))
    if line.head != head:
        raise Stalled(f"git log does not begin at {head}", hint="git fsck")
    return line


def _extend(line: Line, git: Git, head: str, directory: str) -> bool:
    if not git.succeeds("merge-base", "--is-ancestor", line.head, head):
        return False
    added = list(_log(git, directory, head, f"^{line.head}"))
    if not added or added[-1].parent != line.head:
        return False
    _append(line, added)
    return True


@dataclass(slots=True)
class _Step:
    commit: str
    tree: str
    parent: str
    time: float
    changes: list[tuple[str, str, str | None]] = field(default_factory=list)


def _append(line: Line, newest_first: list[_Step]) -> None:
    for step in reversed(newest_first):
        index = len(line.commits)
        line.commits.append(step.commit)
        line.indexes[step.commit] = index
        if step.changes:
            line.trees[step.commit] = step.tree
            line.times[step.commit] = step.time
        for path, mode, blob in step.changes:
            line.touches.setdefault(path, []).append(Touch(index, step.commit, mode, blob))


def _log(git: Git, directory: str, *range: str) -> Iterator[_Step]:
    """`--sparse` also lists the commits that touch no declared file: positions count them."""
    shape = ("--first-parent", "--sparse", "-m", "--raw", "-z", "--no-renames", "--no-abbrev", "--ignore-submodules=none")
    arguments = ("log", *shape, "--format=%x01%H %T %ct %P", "--end-of-options", *range, "--", f":(top,literal){directory}")
    return _steps(iter(git.run(*arguments, timeout=600.0).split(b"\0")))


def _steps(fields: Iterator[bytes]) -> Iterator[_Step]:
    """A header, then `:<modes> <ids> <letter>` and path in turn, each ended by a NUL."""
    step: _Step | None = None
    for text in (item.lstrip(b"\n") for item in fields):
        if text.startswith(_HEADER):
            if step:
                yield step
            commit, tree, time, *parents = text[1:].decode().split()
            step = _Step(commit, tree, parents[0] if parents else "", float(time))
        elif text.startswith(b":") and step:
            _, mode, _, blob, letter = text[1:].decode().split()
            path = next(fields).decode(errors="surrogateescape")
            step.changes.append((path, mode, None if letter == "D" else blob))
    if step:
        yield step

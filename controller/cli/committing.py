"""Writes the files that a command changes, each whole or not at all, and commits exactly those."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from controller.cli.output import note
from controller.model.errors import PointsmanError, Stalled
from controller.source.commits import commit_files, create_branch, current_branch
from controller.source.git import Git
from controller.source.repository import Repository

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class FileEdit:
    """A file's new bytes. `before` is what was read, None for a file that must not be there yet."""

    path: str
    before: bytes | None
    after: bytes


def commit_options(function: F) -> F:
    """`--no-commit` and `--branch`, on every command that edits the declared tree."""
    branch = click.option(
        "--branch", metavar="NAME", help="Commit on a new branch of this name: for a branch that only merges may change."
    )
    commit = click.option("--no-commit", is_flag=True, help="Only edit the files; committing is left to you.")
    return branch(commit(function))


def read_edit(root: Path, path: str, edit: Callable[[bytes], bytes]) -> FileEdit:
    """The edit of a file that exists."""
    before = _checked(root, path).read_bytes()
    return FileEdit(path, before, edit(before))


def _no_check() -> None:
    """Nothing to look at between writing and committing."""


def write_and_commit(
    root: Path,
    edits: Sequence[FileEdit],
    message: str,
    *,
    no_commit: bool = False,
    branch: str | None = None,
    check: Callable[[], None] = _no_check,
) -> str | None:
    """Write, `check`, commit and return the commit; None with `no_commit`. What fails leaves files and branch as they were."""
    if no_commit and branch:
        raise click.UsageError("--branch names where to commit, so it cannot go with --no-commit")
    if not no_commit:
        _require_committed(root, edits)
    with _on_branch(root, branch), _restored(root, edits, tracked=not no_commit):
        for edit in edits:
            write_file(root, edit)
        check()
        return None if no_commit else commit_files(root, [edit.path for edit in edits], message)


def commit_nothing(root: Path, message: str, branch: str | None) -> str:
    """A commit that changes no file: its message is what counts."""
    with _on_branch(root, branch):
        return commit_files(root, [], message, allow_empty=True)


def tell_commit(root: Path, commit: str | None, branch: str | None, then: str) -> None:
    """What became of the edit, and what a person does next."""
    if commit is None:
        note("not committed (--no-commit)")
    elif branch:
        note(f"committed {commit[:10]} on the new branch {branch}")
        note(f"next: git push --set-upstream origin {branch}, and open a pull request")
    else:
        note(f"committed {commit[:10]} on {current_branch(root)}")
        note(f"next: {'git push, then ' if _has_remote(root) else ''}{then}")


def write_file(root: Path, edit: FileEdit) -> None:
    """Put the new bytes in place at once. Raises Stalled if the file is no longer what was read."""
    path = _checked(root, edit.path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if (path.read_bytes() if path.exists() else None) != edit.before:
            raise Stalled(f"{edit.path} was changed by somebody else just now", hint="run the command again")
        _replace(path, edit.after)
    except OSError as error:
        raise Stalled(f"{edit.path} cannot be written: {error.strerror}") from error


def _replace(path: Path, data: bytes) -> None:
    """Hidden while it is unfinished, so that no reader of the directory takes it for a declared file."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    unfinished = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        unfinished.chmod(path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~_umask())
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def _umask() -> int:
    """The process's mask can only be read by setting it."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def _checked(root: Path, path: str) -> Path:
    """The file's place on the disk. A link on the way would let a repository choose another file."""
    full = root / path
    if full.resolve() != root.resolve() / path:
        raise Stalled(f"{path} leads through a symbolic link", hint="replace the link by the file or directory itself")
    return full


def _require_committed(root: Path, edits: Sequence[FileEdit]) -> None:
    """What somebody else has begun in the same file must not slip into the commit."""
    repository = Repository.around(root.resolve())
    if repository is None or not repository.head():
        return
    git = Git(root, alone=False)
    for edit in edits:
        if edit.before is not None and not git.succeeds("diff", "--quiet", "HEAD", "--", f":(literal){edit.path}"):
            hint = f"git diff {edit.path}; commit or restore it, or use --no-commit"
            raise Stalled(f"{edit.path} has changes that are not committed", hint=hint)


@contextmanager
def _restored(root: Path, edits: Sequence[FileEdit], *, tracked: bool) -> Iterator[None]:
    """On failure every file that was written is as it was before, in the index too."""
    try:
        yield
    except BaseException:
        written = [e for e in edits if (root / e.path).is_file() and (root / e.path).read_bytes() == e.after != e.before]
        for edit in written:
            if edit.before is None:
                (root / edit.path).unlink()
                _remove_empty(root, (root / edit.path).parent)
            else:
                _replace(root / edit.path, edit.before)
        if tracked and written:
            with suppress(PointsmanError):
                Git(root, alone=False).run("reset", "--quiet", "--", *(f":(literal){e.path}" for e in written))
        raise


def _remove_empty(root: Path, directory: Path) -> None:
    """Directories that nothing is in any more: git knows none, and `init` takes its own for a declared tree."""
    while directory != root:
        try:
            directory.rmdir()
        except OSError:
            return
        directory = directory.parent


@contextmanager
def _on_branch(root: Path, branch: str | None) -> Iterator[None]:
    """Switch to a new branch, and back where the commit did not come about."""
    if branch is None:
        yield
        return
    before = current_branch(root)
    create_branch(root, branch)
    try:
        yield
    except BaseException:
        with suppress(PointsmanError):
            git = Git(root, alone=False)
            git.run("switch", "--quiet", *([before] if before else ["--detach"]))
            git.run("branch", "--quiet", "--delete", branch)
        raise


def _has_remote(root: Path) -> bool:
    return bool(Git(root, alone=False).text("remote"))

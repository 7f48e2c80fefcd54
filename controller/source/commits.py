"""Commits in a person's own repository, in their own name: exactly the named files, whatever else is staged."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from controller.model.errors import Stalled
from controller.source.git import Git
from controller.source.repository import Repository

_ORIGIN_HEAD = "refs/remotes/origin/HEAD"
_USUAL = ("main", "master")


def commit_files(root: Path, paths: Iterable[Path | str], message: str, *, allow_empty: bool = False) -> str:
    """Commit these files (also removed ones) as they lie on the disk, and return the commit. Hooks run, as for any commit.

    Paths are relative to `root` or absolute. Raises `Stalled` where nothing changed, where no branch is
    checked out, or where git refuses.
    """
    repository = _repository(root)
    git = Git(root, alone=False)
    _require_quiet(repository)
    require_branch(root)
    _require_identity(root)
    named = [str(path) for path in paths]
    if named:
        git.run("add", "--all", "--force", "--", *(_literal(path) for path in named))
    elif not allow_empty:
        raise Stalled("there is nothing to commit")
    if not allow_empty and not _differs(git, repository, named):
        raise Stalled(f"{', '.join(named)}: nothing changed, so there is nothing to commit")
    _commit(git, named, message, allow_empty)
    return repository.head()


def _commit(git: Git, named: list[str], message: str, allow_empty: bool) -> None:
    """`--only` takes these files alone, and with no files nothing at all; what else is staged stays staged."""
    options = ["--quiet", "--cleanup=verbatim", "--only", *(["--allow-empty"] if allow_empty else [])]
    pathspecs = ["--", *(_literal(path) for path in named)] if named else []
    git.run("commit", *options, "--file=-", *pathspecs, stdin=f"{message.rstrip()}\n".encode(), timeout=600.0)


def _differs(git: Git, repository: Repository, named: list[str]) -> bool:
    """A branch without a commit holds nothing, so everything differs."""
    if not repository.head():
        return True
    return not git.succeeds("diff", "--cached", "--quiet", "HEAD", "--", *(_literal(path) for path in named))


def _literal(path: str) -> str:
    return f":(literal){path}"


def _require_quiet(repository: Repository) -> None:
    """In the middle of a merge, `--only` is refused, and a commit would conclude what the person is still deciding."""
    marks = {"MERGE_HEAD": "merge", "CHERRY_PICK_HEAD": "cherry-pick", "REVERT_HEAD": "revert", "rebase-merge": "rebase"}
    for mark, name in marks.items():
        if (repository.git_dir / mark).exists():
            raise Stalled(f"a {name} is in progress in {repository.work_tree}", hint=f"finish it, or git {name} --abort")


def _require_identity(root: Path) -> None:
    """Git would invent one from the host's name, or refuse with a page of text."""
    git = Git(root, alone=False, options=("user.useConfigOnly=true",))
    for variable in ("GIT_AUTHOR_IDENT", "GIT_COMMITTER_IDENT"):
        try:
            git.run("var", variable)
        except Stalled as error:
            hint = 'git config --global user.name "Your Name"; git config --global user.email you@example.com'
            raise Stalled("git does not know who you are, so it cannot commit", hint=hint) from error


def current_branch(root: Path) -> str | None:
    """The checked-out branch, or None on a detached head."""
    branch = _repository(root).branch()
    return None if branch == "HEAD" else branch


def require_branch(root: Path, otherwise: str = "put the commit on a new branch: --branch NAME") -> None:
    """A commit on a detached head is on no branch: nobody serves it, and git forgets it. Raises `Stalled`."""
    if current_branch(root) is None:
        hint = f"git switch {default_branch(root) or 'main'}, or {otherwise}"
        raise Stalled(f"no branch is checked out in {root} (detached HEAD), so the commit would be on none", hint=hint)


def default_branch(root: Path) -> str | None:
    """The remote's default branch as the clone knows it, else `main` or `master` where one exists, else None."""
    git = Git(root, alone=False)
    if git.succeeds("symbolic-ref", "--quiet", _ORIGIN_HEAD):
        return git.text("symbolic-ref", _ORIGIN_HEAD).removeprefix("refs/remotes/origin/")
    repository = _repository(root)
    return next((name for name in _USUAL if repository.commit_of(f"refs/heads/{name}")), None)


def create_branch(root: Path, name: str) -> None:
    """Make a branch at HEAD and switch to it; changes in the working tree come along. Raises `Stalled` where it exists."""
    git = Git(root, alone=False)
    if not git.succeeds("check-ref-format", "--branch", name):
        raise Stalled(f"{name!r} is no name for a branch")
    git.run("switch", "--quiet", "--create", name)


def _repository(root: Path) -> Repository:
    repository = Repository.around(root.resolve())
    if repository is None:
        raise Stalled(f"{root} is not in a git repository", hint="git init")
    return repository

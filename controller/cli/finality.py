"""Whether the commit of a version may still change: before a merge it is only the one that the branch here would give it."""

from __future__ import annotations

from controller.cli.context import Place
from controller.source.repository import Repository

_CUSTOMARY = ("main", "master")


def follows_branch(place: Place) -> bool:
    """Whether the checked-out branch is one that is served: a running controller's, else the repository's default."""
    if place.state.owner is not None:
        return True
    repository = Repository.around(place.source)
    return repository is not None and repository.branch() in _default_branches(repository)


def may_change(provisional: bool, *, committed: bool, followed: bool) -> bool:
    """Of a version that was read from a working directory, on a branch that is `followed` or not."""
    return provisional and not (committed and followed)


def _default_branches(repository: Repository) -> tuple[str, ...]:
    """What the remote calls its default, where git knows that (after a clone); else the customary names."""
    git = repository.git()
    if not git.succeeds("symbolic-ref", "--quiet", "refs/remotes/origin/HEAD"):
        return _CUSTOMARY
    return (git.text("symbolic-ref", "refs/remotes/origin/HEAD").strip().removeprefix("refs/remotes/origin/"),)

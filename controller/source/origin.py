"""A repository that versions take their code from: its objects, the commit that must be able to reach theirs, its code."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from controller.source.objects import ObjectReader, is_id


class Origin:
    """Named commits must be reachable from its head: of the watched branch, elsewhere of the default branch."""

    def __init__(self, objects: ObjectReader, name: str) -> None:
        self.objects = objects
        self.name = name
        self._reachable: set[str] = set()
        self._head = ""

    def lost(self, commits: Iterable[str], head: str) -> frozenset[str]:
        """Those that are no commit here, or that `head` cannot reach. One process for all that are not known yet."""
        self._follow(head)
        asked = {commit for commit in commits if commit not in self._reachable}
        present = {commit for commit in asked if is_id(commit) and self.objects.tree_of(commit)}
        unreachable = present & self._outside(present, head) if present else set()
        self._reachable |= present - unreachable
        return frozenset((asked - present) | unreachable)

    def _follow(self, head: str) -> None:
        """What an ancestor of the new head could reach stays reachable."""
        if self._head and self._head != head and not is_ancestor(self.objects, self._head, head):
            self._reachable.clear()
        self._head = head

    def _outside(self, commits: set[str], head: str) -> set[str]:
        lines = "".join(f"{line}\n" for line in (*sorted(commits), f"^{head}"))
        return set(self.objects.git.run("rev-list", "--stdin", stdin=lines.encode(), timeout=600.0).decode().split())


class CodeRepositories(Protocol):
    """What the configuration grants: other repositories that hold code."""

    def origin(self, url: str) -> tuple[Origin, str] | None:
        """The repository behind a URL and the head of its default branch; None where it is not granted."""
        ...


def is_ancestor(objects: ObjectReader, old: str, new: str) -> bool:
    """Whether `new` can reach `old`. A commit that is gone is no ancestor."""
    if old == new:
        return bool(old)
    if not (is_id(old) and is_id(new)) or objects.tree_of(old) is None or objects.tree_of(new) is None:
        return False
    return objects.git.succeeds("merge-base", "--is-ancestor", old, new)

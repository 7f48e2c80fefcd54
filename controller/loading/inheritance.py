"""Defaults, deployment and version merged: maps key by key, lists and scalars replace, a plain null removes.

Every value keeps the file and the place that it comes from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from controller.loading.nodes import ListNode, MapNode, Node, Scalar, location, plain
from controller.model.diagnostics import Location


@dataclass(frozen=True, slots=True)
class Leaf:
    """A scalar or a list with its origin."""

    node: Scalar | ListNode
    file: str

    @property
    def location(self) -> Location:
        return location(self.file, self.node)

    @property
    def is_null(self) -> bool:
        return isinstance(self.node, Scalar) and self.node.is_null


@dataclass(frozen=True, slots=True)
class Branch:
    """A merged map; its place is that of the last level that wrote it."""

    children: Mapping[str, Merged] = field(default_factory=dict)
    location: Location = Location("")

    def get(self, *path: str) -> Merged | None:
        """The value below a path of keys; None where a step is absent or null."""
        found: Merged | None = self
        for key in path:
            found = found.children.get(key) if isinstance(found, Branch) else None
        return None if isinstance(found, Leaf) and found.is_null else found

    def branch(self, *path: str) -> Branch:
        """Like `get`; an empty branch where there is no map."""
        found = self.get(*path)
        return found if isinstance(found, Branch) else EMPTY

    def text(self, *path: str) -> str | None:
        """The text of a scalar below a path of keys."""
        found = self.get(*path)
        return found.node.text if isinstance(found, Leaf) and isinstance(found.node, Scalar) else None

    def whole(self, *path: str) -> int | None:
        """The whole number below a path of keys."""
        found = self.get(*path)
        value = plain(found.node) if isinstance(found, Leaf) else None
        return value if isinstance(value, int) and not isinstance(value, bool) else None


Merged: TypeAlias = "Leaf | Branch"
EMPTY = Branch()


def placed(node: Node | None, file: str) -> Merged | None:
    """One level's own values."""
    if isinstance(node, MapNode):
        children = {key: value for key, below in node.items() if (value := placed(below, file)) is not None}
        return Branch(children, location(file, node))
    return Leaf(node, file) if node is not None else None


def over(lower: Merged | None, upper: Merged | None) -> Merged | None:
    """`upper` laid over `lower`. Nulls stay until they are read: they must also remove what a general map says."""
    if upper is None:
        return lower
    if not isinstance(lower, Branch) or not isinstance(upper, Branch):
        return upper
    children = dict(lower.children)
    for key, value in upper.children.items():
        merged = over(children.get(key), value)
        if merged is not None:
            children[key] = merged
    return Branch(children, upper.location)


def as_branch(merged: Merged | None) -> Branch:
    """A map, empty if there is none."""
    return merged if isinstance(merged, Branch) else EMPTY


def values(merged: Merged) -> object:
    """Plain values without the removed ones."""
    if isinstance(merged, Leaf):
        return plain(merged.node)
    return {k: values(v) for k, v in merged.children.items() if not (isinstance(v, Leaf) and v.is_null)}

"""YAML's merge key `<<: *name`, as PyYAML reads it: written keys win, then the earlier map of a list."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

from controller.loading.nodes import ListNode, MapNode, Node, Scalar

MERGE = "merge"

Entry: TypeAlias = "tuple[Scalar, Node]"


class MergeError(ValueError):
    """What should be merged is not a map."""


def merged(entries: Mapping[str, Entry], merges: Sequence[Entry]) -> Mapping[str, Entry]:
    """The entries of a map with all that its merge keys bring. Raises MergeError."""
    if not merges:
        return entries
    brought: dict[str, Entry] = {}
    for _, value in merges:
        for source in _sources(value):
            for key, entry in source.entries.items():
                brought.setdefault(key, entry)
    return {**brought, **entries}


def _sources(value: Node) -> Iterator[MapNode]:
    for source in value.items if isinstance(value, ListNode) else (value,):
        if not isinstance(source, MapNode):
            raise MergeError("`<<` can only merge maps")
        yield source

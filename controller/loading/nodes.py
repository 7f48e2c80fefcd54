"""A YAML document as a tree that remembers what was written: text, quoting and place of every scalar."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from controller.model.diagnostics import Location

_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_DECIMAL = re.compile(r"[-+]?[0-9]+\.[0-9]*([eE][-+][0-9]+)?")
_LONGEST_NUMBER = 40
_BOOLEANS = {"true": True, "false": False}


@dataclass(frozen=True, slots=True, eq=False)
class Scalar:
    """One value as written. `guess` is what YAML 1.1 takes it for: str, int, float, bool, null, timestamp."""

    text: str
    guess: str
    plain: bool
    line: int
    column: int

    @property
    def is_null(self) -> bool:
        """A plain `null`, `~` or nothing; `"null"` in quotes is text."""
        return self.plain and self.guess == "null"

    @property
    def is_ambiguous(self) -> bool:
        """Written without quotes and not text to YAML: other tools read (and rewrite) something else."""
        return self.plain and self.guess != "str"

    @property
    def value(self) -> str | int | float | bool | None:
        """The value for settings that are numbers or switches.

        Only what every YAML version reads alike becomes one: `0777`, `1_000`, `12:30:45`, `yes` and `.nan` stay text,
        so that the schema refuses them where a number or a switch is wanted.
        """
        if self.is_null:
            return None
        if self.guess == "bool":
            return _BOOLEANS.get(self.text.lower(), self.text)
        if len(self.text) > _LONGEST_NUMBER:
            return self.text
        if self.guess == "int" and _INTEGER.fullmatch(self.text):
            return int(self.text)
        if self.guess == "float" and _DECIMAL.fullmatch(self.text):
            return float(self.text)
        return self.text


@dataclass(frozen=True, slots=True, eq=False)
class MapNode:
    """A map in the order in which it was written: the text of each key to (the key itself, its value)."""

    entries: Mapping[str, tuple[Scalar, Node]]
    line: int
    column: int

    def get(self, key: str) -> Node | None:
        """The value of a key, or None."""
        entry = self.entries.get(key)
        return entry[1] if entry else None

    def key(self, key: str) -> Scalar | None:
        """The key itself, for its place."""
        entry = self.entries.get(key)
        return entry[0] if entry else None

    def items(self) -> Iterator[tuple[str, Node]]:
        """(key, value) pairs."""
        return ((key, value) for key, (_, value) in self.entries.items())


@dataclass(frozen=True, slots=True, eq=False)
class ListNode:
    """A list of nodes."""

    items: tuple[Node, ...]
    line: int
    column: int


Node: TypeAlias = "Scalar | MapNode | ListNode"


def location(file: str, node: Node | None) -> Location:
    """The place of a node; the whole file where there is none."""
    return Location(file, node.line, node.column) if node else Location(file)


def plain(node: Node | None) -> Any:
    """The tree as plain values, for a schema: dicts, lists, texts, numbers."""
    if isinstance(node, MapNode):
        return {key: plain(value) for key, value in node.items()}
    if isinstance(node, ListNode):
        return [plain(item) for item in node.items]
    return node.value if node else None


def find(node: Node | None, *path: str | int) -> Node | None:
    """The node below a path of keys and indices; None where any step is absent."""
    for step in path:
        if isinstance(node, MapNode):
            node = node.get(str(step))
        elif isinstance(node, ListNode) and isinstance(step, int) and step < len(node.items):
            node = node.items[step]
        else:
            return None
    return node


def nearest(node: Node | None, *path: str | int) -> Node | None:
    """Like `find`, but the last node on the way where a step is absent."""
    for step in path:
        below = find(node, step)
        if below is None:
            return node
        node = below
    return node


def text_of(node: Node | None) -> str | None:
    """The text of a scalar that is not null; None for everything else."""
    return node.text if isinstance(node, Scalar) and not node.is_null else None

"""A version never changes: of later texts only `enabled` counts, and any other edit is held."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from controller.loading.nodes import ListNode, MapNode, Node, Scalar
from controller.model.diagnostics import Diagnostic, Location, Severity, Subject

_EDITABLE = "enabled"


def edits(first: Node | None, present: Node | None, name: str, file: str) -> Iterator[Diagnostic]:
    """One diagnostic for each key that no longer says what it said first."""
    before, after = _keys(first), _keys(present)
    for key in sorted({*before, *after} - {_EDITABLE}):
        if _shape(before.get(key)) != _shape(after.get(key)):
            node = after.get(key)
            verb = "changed" if key in before and key in after else "removed" if key in before else "added"
            place = Location(file, node.line, node.column) if node else Location(file)
            message = f"`{key}` was {verb} after version `{name}` was made; its first text stays in force"
            hint = f"undo this edit and make a new version: pointsman version create --from {name}"
            yield Diagnostic("PM311", Severity.ERROR, message, place, Subject("version", name), hint)


def _keys(node: Node | None) -> dict[str, Node]:
    return dict(node.items()) if isinstance(node, MapNode) else {}


def _shape(node: Node | None) -> Any:
    """What a text says, whatever its layout, quotes and comments."""
    if isinstance(node, MapNode):
        return {key: _shape(value) for key, value in node.items()}
    if isinstance(node, ListNode):
        return [_shape(item) for item in node.items]
    return (node.text, node.is_null) if isinstance(node, Scalar) else None

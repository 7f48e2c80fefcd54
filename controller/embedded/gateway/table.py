"""Which route serves a path: a tree by path element, so that a look-up and a change both cost the depth of the path.

It lives on the gateway's loop alone. A change replaces one immutable route in one step: a request sees the old or the new.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass, field

from controller.embedded.gateway.route import CompiledRoute
from controller.model.identity import ObjectKey

_COMPARED = 500
"""Near matches are looked for among so many siblings, lest an unknown path cost more than a known one."""


@dataclass(slots=True)
class Node:
    """One path element; `routes` are those that end here, the oldest first (only the first serves)."""

    children: dict[str, Node] = field(default_factory=dict)
    routes: tuple[CompiledRoute, ...] = ()

    def walk(self) -> Iterator[CompiledRoute]:
        """Every serving route at and below this element, in order of their paths."""
        yield from self.routes[:1]
        for name in sorted(self.children):
            yield from self.children[name].walk()


class RoutingTable:
    """Routes by prefix, and by the object that they came from."""

    def __init__(self) -> None:
        self._root = Node()
        self._by_key: dict[ObjectKey, CompiledRoute] = {}

    def get(self, key: ObjectKey) -> CompiledRoute | None:
        return self._by_key.get(key)

    def put(self, route: CompiledRoute) -> None:
        """Add a route, or replace the one of the same object, wherever that was."""
        old = self._by_key.get(route.key)
        if old is not None and old.prefix != route.prefix:
            self.remove(route.key)
        node = self._root
        for element in _elements(route.prefix):
            node = node.children.setdefault(element, Node())
        others = [other for other in node.routes if other.key != route.key]
        node.routes = tuple(sorted([*others, route], key=lambda r: r.age_order))
        self._by_key[route.key] = route

    def remove(self, key: ObjectKey) -> None:
        """Forget a route and the elements that only it needed."""
        route = self._by_key.pop(key, None)
        if route is None:
            return
        trail = [self._root]
        elements = _elements(route.prefix)
        for element in elements:
            trail.append(trail[-1].children[element])
        trail[-1].routes = tuple(other for other in trail[-1].routes if other.key != key)
        for parent, element in zip(reversed(trail[:-1]), reversed(elements), strict=True):
            child = parent.children[element]
            if child.children or child.routes:
                return
            del parent.children[element]

    def find(self, path: str) -> CompiledRoute | None:
        """The route with the longest prefix, by whole path elements: `/v1` does not match `/v10`."""
        node, found = self._root, self._root.routes
        for element in path.split("/")[1:]:
            child = node.children.get(element)
            if child is None:
                break
            node = child
            found = node.routes or found
        return found[0] if found else None

    def node(self, path: str) -> Node | None:
        """The element at exactly this path, whether or not a route ends there."""
        node: Node | None = self._root
        for element in _elements(path):
            node = node.children.get(element) if node else None
        return node

    def near(self, path: str) -> list[str]:
        """Up to three paths that exist and look like this one, from the first element that does not."""
        node, known = self._root, ""
        for element in _elements(path):
            if element not in node.children:
                names = [name for name, _ in zip(node.children, range(_COMPARED), strict=False)]
                return [f"{known}/{name}" for name in difflib.get_close_matches(element[:64], names, 3, 0.6)]
            node, known = node.children[element], f"{known}/{element}"
        return []


def _elements(path: str) -> list[str]:
    trimmed = path.strip("/")
    return trimmed.split("/") if trimmed else []

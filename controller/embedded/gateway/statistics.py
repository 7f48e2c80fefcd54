"""What each route did since the gateway started. Counted on the loop, read from any thread."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from controller.model.identity import ObjectKey


@dataclass(frozen=True, slots=True)
class RouteStatistics:
    """`by_class` counts answers by status class, such as `2xx`, and `aborted` ones that broke off after they had begun."""

    path: str
    requests: int
    in_flight: int
    by_class: Mapping[str, int]


@dataclass(slots=True)
class Counter:
    """One route's numbers."""

    path: str = ""
    requests: int = 0
    in_flight: int = 0
    by_class: dict[str, int] = field(default_factory=dict)

    def begin(self, path: str) -> None:
        self.path = path
        self.requests += 1
        self.in_flight += 1

    def end(self, status: int) -> None:
        """`status` 0: nothing that the client could have taken for an answer."""
        name = f"{status // 100}xx" if status else "aborted"
        self.in_flight -= 1
        self.by_class[name] = self.by_class.get(name, 0) + 1


class Statistics:
    """Counters by route; a route that is gone is forgotten."""

    def __init__(self) -> None:
        self._counters: defaultdict[ObjectKey, Counter] = defaultdict(Counter)

    def of(self, key: ObjectKey) -> Counter:
        return self._counters[key]

    def forget(self, key: ObjectKey) -> None:
        self._counters.pop(key, None)

    def snapshot(self) -> dict[ObjectKey, RouteStatistics]:
        """A copy; numbers of one moment per route, not over all."""
        # list() of a dict's items is one step of the interpreter: the loop cannot change the dict half-way
        return {k: RouteStatistics(c.path, c.requests, c.in_flight, dict(c.by_class)) for k, c in list(self._counters.items())}

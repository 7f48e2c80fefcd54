"""Which requests to an API server fail, and how often: what a `FaultProxy` goes by."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.cluster.fault_proxy import Exchange


@dataclass(frozen=True)
class Asked:
    """One request. `verb` is RBAC's, `resource` the plural name in the path, `name` empty for a collection."""

    method: str
    path: str
    query: Mapping[str, str]
    body: bytes = b""

    @property
    def verb(self) -> str:
        if self.method != "GET":
            return self.method.lower()
        return "watch" if "watch" in self.query else "get" if self.name else "list"

    @property
    def resource(self) -> str:
        return self._place[0]

    @property
    def name(self) -> str:
        return self._place[1]

    @property
    def is_write(self) -> bool:
        return self.method != "GET"

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def _place(self) -> tuple[str, str]:
        found = re.match(r"/(?:api|apis/[^/]+)/[^/]+(?:/namespaces/[^/]+(?=/.))?/([^/]+)(?:/([^/]+))?", self.path)
        return (found[1], found[2] or "") if found else ("", "")

    def __str__(self) -> str:
        return f"{self.verb} {self.resource} {self.name}".strip()


@dataclass(frozen=True)
class Answer:
    code: int
    headers: Mapping[str, str]
    body: bytes


Fault = Callable[["Exchange"], None]
"""What is done to a request instead of passing it on."""


@dataclass(eq=False)
class Rule:
    """Concerns the requests from the `skip`-th on that fit, `times` of them (None: all), as long as it is in force."""

    fits: Callable[[Asked], bool]
    fault: Fault
    skip: int = 0
    times: int | None = 1
    fitted: int = 0
    finished: int = 0
    lifted: threading.Event = field(default_factory=threading.Event)

    @property
    def met(self) -> int:
        """How many requests it has concerned so far."""
        fitted = max(self.fitted - self.skip, 0)
        return fitted if self.times is None else min(fitted, self.times)

    def concerns(self, asked: Asked) -> bool:
        if self.lifted.is_set() or not self.fits(asked):
            return False
        before, self.fitted = self.met, self.fitted + 1
        return self.met > before

"""A controller with the embedded cluster over a real repository, asked over HTTP as any client would."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx2

from controller.cli.context import Place
from controller.cli.runtime.choice import PROCESSES, Choice
from controller.cli.serving import Served, Serving, serve
from controller.embedded.state_directory import StateDirectory
from controller.model.changes import Hold, Plan
from controller.model.identity import ObjectKey, UnitKey
from controller.model.record import UnitRecord
from controller.state.record_format import from_config_map
from tests.embedded.runtime.conftest import kill_everything_below
from tests.system.repository import DEPLOYMENT, OWNER, PROJECT, Repository, path

LONGEST = 120.0
T = TypeVar("T")


def eventually(look: Callable[[], T], seen: Callable[[], object] = lambda: "") -> T:
    """Look until the answer is true, for two minutes; `seen` says in the failure what was there instead."""
    deadline = time.monotonic() + LONGEST
    while not (found := look()):
        assert time.monotonic() < deadline, f"not within {LONGEST:.0f} s: {seen()}"
        time.sleep(0.02)
    return found


@dataclass(frozen=True)
class Stage:
    """What serves, with the repository that it follows."""

    repository: Repository
    serving: Serving
    client: httpx2.Client

    def get(self, url: str, **more: Any) -> httpx2.Response:
        return self.client.get(self.serving.url + url, **more)

    def said(self, name: str, deployment: str = DEPLOYMENT) -> dict[str, Any]:
        """The body of the endpoint's answer, or what came instead."""
        answer = self.get(path(name, deployment))
        body: dict[str, Any] = (
            answer.json() if answer.status_code == 200 else {"status": answer.status_code, "text": answer.text}
        )
        return body

    def until(self, name: str, deployment: str = DEPLOYMENT, **wanted: Any) -> dict[str, Any]:
        """The first answer that holds everything that is wanted."""

        def look() -> dict[str, Any] | None:
            said = self.said(name, deployment)
            return said if wanted.items() <= said.items() else None

        return eventually(look, lambda: f"{self.said(name, deployment)}, {self.reasons(deployment)}")

    def unit(self, deployment: str = DEPLOYMENT) -> UnitKey:
        return UnitKey(OWNER, PROJECT, deployment)

    def plan(self, deployment: str = DEPLOYMENT) -> Plan | None:
        """The newest pass's."""
        result = self.serving.controller.result(self.unit(deployment))
        return result.plan if result else None

    def reasons(self, deployment: str = DEPLOYMENT) -> str:
        """Everything that the newest plan waits for, in its words."""
        made = self.plan(deployment)
        return "\n".join(r.message for r in (*made.gates, *made.holds, *made.failures)) if made else "no pass yet"

    def holds(self, deployment: str = DEPLOYMENT) -> tuple[Hold, ...]:
        """What waits for a person."""
        made = self.plan(deployment)
        return made.holds if made else ()

    def until_reason(self, *words: str, deployment: str = DEPLOYMENT) -> str:
        """The reasons as soon as they contain all the words."""

        def look() -> str | None:
            reasons = self.reasons(deployment)
            return reasons if all(word in reasons for word in words) else None

        return eventually(look, lambda: self.reasons(deployment))

    def until_failed(self, deployment: str = DEPLOYMENT, words: str = "") -> str:
        """What was given up, as soon as something was, in these words."""

        def look() -> str:
            made = self.plan(deployment)
            return "\n".join(f.message for f in made.failures if words in f.message) if made else ""

        return eventually(look, lambda: self.reasons(deployment))

    def until_applied(self, commit: str, deployment: str = DEPLOYMENT) -> None:
        """Wait until nothing is left to do for a commit but clocks."""
        eventually(
            lambda: commit in self.record(deployment).applied,
            lambda: f"{self.reasons(deployment)} {self.serving.controller.source_errors()}",
        )

    def record(self, deployment: str = DEPLOYMENT) -> UnitRecord:
        unit = self.unit(deployment)
        found = self.serving.cluster.store.get(ObjectKey("ConfigMap", unit.namespace, unit.record_name))
        return from_config_map(found) if found else UnitRecord(unit)


@contextmanager
def staged(repository: Repository, state: Path, runtime: Choice = PROCESSES) -> Iterator[Stage]:
    """Serve what the repository's branch has committed; end every process afterwards, whatever happened."""
    served = Served(Place(repository.root, StateDirectory(state)), committed=True, runtime=runtime)
    try:
        with serve(served, _silent, _unheard) as serving, httpx2.Client(timeout=60.0, trust_env=False) as client:
            yield Stage(repository, serving, client)
    finally:
        kill_everything_below(state)


def _silent(what: str, done: int, total: int) -> None:
    """Progress that nobody watches."""


def _unheard(unit: str, event: Mapping[str, object]) -> None:
    """Events that nobody listens to: `history` has them too."""

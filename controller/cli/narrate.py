"""Tell a person what the controller does, as it does it: one line per thing worth knowing, each once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping

from controller.engine.controller import Controller
from controller.model.changes import Plan
from controller.model.ports import HistoryStore
from controller.model.record import FactKind


class ToldHistory:
    """A `HistoryStore` that also tells `listener` each event as it happens."""

    def __init__(self, history: HistoryStore, listener: Callable[[str, Mapping[str, object]], None]) -> None:
        self._history = history
        self._listener = listener

    def append(self, unit: str, event: Mapping[str, object]) -> None:
        self._history.append(unit, event)
        self._listener(unit, event)

    def read(self, unit: str, limit: int = 50) -> Iterable[Mapping[str, object]]:
        return self._history.read(unit, limit)


class Narrator:
    """Follows a controller from a thread of its own; `say` prints a line."""

    def __init__(self, controller: Controller, say: Callable[[str], None], *, every: float = 0.2) -> None:
        self._controller = controller
        self._say = say
        self._every = every
        self._said: dict[str, frozenset[str]] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="narrator", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(self._every):
            self._tell("sources", self._controller.source_errors())
            for publication in self._controller.publications():
                self._tell(publication.snapshot.source, [str(d) for d in publication.declared.diagnostics])
            for unit in self._controller.units():
                result = self._controller.result(unit)
                if result:
                    self._tell(str(unit), lines_of(result.plan))

    def _tell(self, topic: str, lines: Iterable[str]) -> None:
        """Each line when it appears; again only after it went away in between."""
        current = frozenset(lines)
        for line in sorted(current - self._said.get(topic, frozenset())):
            self._say(line)
        self._said[topic] = current


def lines_of(plan: Plan) -> list[str]:
    """What of a plan a person waits for: gates without clocks, failures, holds with the command that releases them."""
    name = plan.unit.deployment
    waits = [f"{name}: … {gate.message}" for gate in plan.gates if not gate.clock]
    failures = [f"{name}: ! {failure.message}" for failure in plan.failures]
    holds = [f"{name}: held: {h.message}" + (f"\n  hint: {h.hint}" if h.hint else "") for h in plan.holds]
    return [*waits, *failures, *holds, *(f"{name}: ! {warning}" for warning in plan.warnings)]


def told_event(unit: str, event: Mapping[str, object]) -> str | None:
    """The line for an event, or None for one that is only for the history."""
    name = unit.rpartition("/")[2]
    if event["event"] == FactKind.CONFIRMED.value:
        return f"{name}: {event['subject']} → {event['message']} serves"
    if event["event"] == FactKind.GOLDEN_PASSED.value:
        return f"{name}: golden requests of {event['subject']} passed"
    return None

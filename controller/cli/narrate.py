"""Tell a person what the controller does, as it does it: one line per thing worth knowing, each once, with its time."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from controller.cli.phases import Phase, SlowGates, phases_of
from controller.engine.controller import Controller
from controller.engine.sources import Publication
from controller.model.changes import Plan
from controller.model.ports import HistoryStore
from controller.model.record import FactKind
from controller.model.source import Revision
from controller.plan.grouping import grouped

_EVERY = 0.1
Event = Mapping[str, object]
Describe = Callable[[Revision], str]


class ToldHistory:
    """A `HistoryStore` that also tells `listener` each event as it happens."""

    def __init__(self, history: HistoryStore, listener: Callable[[str, Event], None]) -> None:
        self._history = history
        self._listener = listener

    def append(self, unit: str, event: Event) -> None:
        self._history.append(unit, event)
        self._listener(unit, event)

    def read(self, unit: str, limit: int = 50) -> Iterable[Event]:
        return self._history.read(unit, limit)


class Narrator:
    """Follows a controller from a thread of its own.

    `print_line` prints a line, `describe` says what a revision is about. Give `hear` as the listener of events; nothing
    is said before `follow`.
    """

    def __init__(self, print_line: Callable[[str], None], describe: Describe = str) -> None:
        self._print = print_line
        self._describe = describe
        self._began = time.monotonic()
        self._events: queue.SimpleQueue[tuple[str, Event]] = queue.SimpleQueue()
        self._present: dict[str, frozenset[str]] = {}
        self._revisions: dict[str, Revision] = {}
        self._serving: dict[tuple[str, object], tuple[object, object]] = {}
        self._phases: dict[str, Phase] = {}
        self._slow = SlowGates()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="narrator", daemon=True)

    def say(self, text: str) -> None:
        """A line with the seconds since the beginning."""
        self._print(f"{time.monotonic() - self._began:6.1f} s  {text}")

    def hear(self, unit: str, event: Event) -> None:
        """An event of a unit; called from the controller's threads."""
        self._events.put((unit, event))

    def follow(self, controller: Controller, url: str) -> None:
        """Begin. `url` is the gateway's."""
        self._controller, self._url = controller, url
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def catch_up(self) -> None:
        """Say now what there is to say: before a line of somebody else that relies on it."""
        with self._lock:
            self._look()

    def _run(self) -> None:
        while not self._stop.wait(_EVERY):
            self.catch_up()

    def _look(self) -> None:
        publications = self._controller.publications()
        self._appeared("sources", self._controller.source_errors())
        for publication in publications:
            self._published(publication)
        results = [result for unit in self._controller.units() if (result := self._controller.result(unit))]
        plans = [result.plan for result in results]
        self._tell_phases(plans, publications)
        self._tell_events()
        self._tell_standing(plans, publications)
        mistakes = {f"{d.location}: {d.message}" for p in publications for d in p.declared.diagnostics}
        fresh = [r.plan for r in results if any(r.publication is p for p in publications)]
        for plan in fresh:  # what an earlier revision's plan says may be mended, and its mistakes are not known any more
            untold = tuple(hold for hold in plan.holds if hold.message not in mistakes)
            self._appeared(str(plan.unit), decided_lines(replace(plan, holds=untold)))
        for line in self._slow.lines(plans, time.monotonic()):
            self.say(line)

    def _published(self, publication: Publication) -> None:
        source, revision = publication.snapshot.source, publication.snapshot.revision
        if self._revisions.get(source) != revision:
            self._revisions[source] = revision
            self.say(f"{revision.branch} {revision.short or '(no commit)'}  {self._describe(revision)}".rstrip())
        self._appeared(source, (str(diagnostic) for diagnostic in publication.declared.diagnostics))

    def _tell_phases(self, plans: list[Plan], publications: Iterable[Publication]) -> None:
        """Each phase of a version once, in their order, until nothing waits for the version any more."""
        current = phases_of(plans, [p.declared for p in publications])
        for version, phase in sorted(current.items()):
            if version not in self._phases or phase > self._phases[version]:
                self._phases[version] = phase
                self.say(f"{version}  {phase.words}")
        for version in self._phases.keys() - current.keys():
            del self._phases[version]

    def _tell_events(self) -> None:
        while not self._events.empty():
            unit, event = self._events.get()
            if event["event"] == FactKind.CONFIRMED.value:
                self._serves(unit, event)

    def _serves(self, unit: str, event: Event) -> None:
        """An alias moves as a whole in one pass, so its endpoints are told as one."""
        alias, move = event["subject"], (event["message"], event["at"])
        if self._serving.get((unit, alias)) != move:
            self._serving[unit, alias] = move
            self.say(f"{event['message']}  serves as {alias}: {self._url}/{unit}/{alias}")

    def _tell_standing(self, plans: list[Plan], publications: Iterable[Publication]) -> None:
        """What an earlier run has switched already and this one finds in place."""
        deployments = {
            (p.declared.owner, p.declared.project, d.name): d for p in publications for d in p.declared.deployments.values()
        }
        for plan in plans:
            deployment = deployments.get((plan.unit.owner, plan.unit.project, plan.unit.deployment))
            for alias in deployment.aliases.values() if deployment and plan.is_settled else ():
                if (str(plan.unit), alias.name) not in self._serving:
                    self._serving[str(plan.unit), alias.name] = (alias.version, plan.revision)
                    self.say(f"{alias.version}  is {alias.name} already: {self._url}{plan.unit.path}/{alias.name}")

    def _appeared(self, topic: str, lines: Iterable[str]) -> None:
        """Each line when it appears; again only after it went away in between."""
        current = frozenset(lines)
        for line in sorted(current - self._present.get(topic, frozenset())):
            self.say(line)
        self._present[topic] = current


def decided_lines(plan: Plan) -> list[str]:
    """What of a plan will not change by waiting: failures, holds with the command that releases them, warnings."""
    name = plan.unit.deployment
    holds = [f"{name}: held: {h.message}" + (f"\n  hint: {h.hint}" if h.hint else "") for h in plan.holds]
    return [
        *(f"{name}: ! {failure.message}" for failure in grouped(plan.failures)),
        *holds,
        *(f"{name}: ! {w}" for w in plan.warnings),
    ]


def lines_of(plan: Plan) -> list[str]:
    """Everything of a plan that a person may have to know: what waits without a clock, then what is decided."""
    waits = [f"{plan.unit.deployment}: … {gate.message}" for gate in grouped(plan.gates) if not gate.clock]
    return [*waits, *decided_lines(plan)]

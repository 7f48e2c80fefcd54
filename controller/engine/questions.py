"""What a plan asks of the world beside its changes: images, golden requests, the data plane; and the answers that came."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from functools import partial

from controller.engine.background import Background
from controller.engine.builds import Builds
from controller.engine.checks import known_gateways, run_confirm, run_golden
from controller.engine.planning import UnitWork
from controller.engine.steps import Observer, Step
from controller.model.changes import ConfirmCheck, GoldenCheck, Plan
from controller.model.desired import DesiredState
from controller.model.identity import UnitKey
from controller.model.images import Image, ImageSpec
from controller.model.record import Fact, UnitRecord
from controller.plan.fact_names import owner_and_endpoint
from controller.plan.memory import confirmed_facts, passed_facts

_WORKERS = 32
"""Questions of a kind under way at once: they only wait, and so many must hang before another deployment's waits for them."""


class Questions:
    """Asks in the background, so that no pass waits; an answer is a fact, kept here until a record holds it."""

    def __init__(self, builds: Builds, observer: Observer, enqueue: Callable[[UnitKey], None]) -> None:
        self._builds = builds
        self._observer = observer
        self._enqueue = enqueue
        self._goldens = Background("golden", _WORKERS, leaves=True)
        self._confirms = Background("confirm", _WORKERS, leaves=True)
        self._lock = threading.Lock()
        self._answers: dict[UnitKey, list[Fact]] = defaultdict(list)

    def close(self) -> None:
        self._goldens.close()
        self._confirms.close()

    def ask(self, work: UnitWork, made: Plan, bases: Mapping[str, str], desired: DesiredState | None) -> None:
        """Have everything answered that the plan waits for; what is being asked or was answered is not asked again.

        Golden requests of a version go one endpoint after another: the first to fail decides; one that hangs holds one worker.
        `bases` are the digests that the unit remembers of its base images: they win over what a tag leads to now.
        """
        for wanted in made.builds:
            spec = replace(wanted, base_digest=bases.get(wanted.base, ""), related=_related(wanted, desired))
            self._builds.request(spec, work.target.builder, work.publication.source.code, work.unit, self._enqueue)
        look = partial(self._enqueue, work.unit)
        with self._lock:
            answered = {(fact.subject, fact.input) for fact in self._answers[work.unit]}
        for golden in made.golden:
            if (golden.subject, golden.workload) not in answered:
                key = (work.unit, owner_and_endpoint(golden.subject)[0])
                self._goldens.submit(key, partial(self._golden, work, made, golden), look)
        for confirm in made.confirms:
            if not all((confirm.subject, workload) in answered for _, workload, _ in confirm.routes):
                self._confirms.submit((work.unit, confirm), partial(self._confirm, work, made, confirm), look)

    def answers(self, unit: UnitKey, stored: UnitRecord) -> tuple[Fact, ...]:
        """The answers that the record does not hold yet; the others have served."""
        with self._lock:
            self._answers[unit] = [fact for fact in self._answers[unit] if fact not in stored.facts]
            return tuple(self._answers[unit])

    def written(self, unit: UnitKey, answers: Collection[Fact]) -> None:
        """The record holds these now."""
        with self._lock:
            self._answers[unit] = [fact for fact in self._answers[unit] if fact not in answers]

    def _golden(self, work: UnitWork, made: Plan, check: GoldenCheck) -> None:
        gateways = known_gateways(work.target, self._goldens.is_closed)
        if not gateways:
            return  # nothing was asked, so nothing failed: the next pass asks again
        failure = run_golden(check, gateways[0], work.probe, host=work.target.host)
        self._observer(Step.GOLDEN_ANSWERED)
        self._answer(work.unit, passed_facts(check, made.revision, max(time.time(), made.now), failure))

    def _confirm(self, work: UnitWork, made: Plan, check: ConfirmCheck) -> None:
        answered = run_confirm(work.target, check, self._confirms.is_closed, work.probe)
        self._observer(Step.CONFIRM_ANSWERED)
        if answered:
            self._answer(work.unit, *confirmed_facts(check, made.revision, max(time.time(), made.now)))

    def _answer(self, unit: UnitKey, *facts: Fact) -> None:
        with self._lock:
            self._answers[unit] += facts


def _related(wanted: ImageSpec, desired: DesiredState | None) -> tuple[str, ...]:
    """The unit's images that have some of the same files, and so some of the same layers."""
    built = ((workload.spec, workload.image) for workload in desired.workloads.values()) if desired else ()
    files = _contents(wanted)
    found = {
        image.digest: None
        for spec, image in built
        if isinstance(image, Image) and spec.repository == wanted.repository and files & _contents(spec)
    }
    return tuple(found)


def _contents(spec: ImageSpec) -> set[tuple[str, str | None]]:
    """Path and digest of the declared files, wherever they come from."""
    return {(path, content.sha256 or content.blob) for path, content in spec.files.items()}

"""`pointsman demo --tour`: release, merge-to-promote, a refusal and reverts, each seen over HTTP while clients keep sending."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial

import click
import httpx2

from controller.cli.exit_codes import ERROR, OK
from controller.cli.output import note, print_rows
from controller.cli.scratch import Scratch
from controller.cli.serving import Serving
from controller.cli.tour_commits import BROKEN, BROKEN_LABEL, DEPLOYMENT, NEW, NEW_LABEL, OLD, STAGED, Commit, Repository
from controller.cli.tour_traffic import Counts, Question, Traffic
from controller.model.changes import Plan

ALIASES = ("production", "staging")
ENDPOINTS = ("greet-me", "predict-digit")
LONGEST = 120.0
"""Seconds that a step may take before it counts as not seen."""
_SETTLE = 1.5
"""Seconds of traffic after a step, so that answers of the wrong version would still be noticed."""
_LOOK_EVERY = 0.02
_PREFIX = f"/ruksi/mnist/{DEPLOYMENT}"
_LABELS = {OLD: "240 pictures", STAGED: "1437 pictures", NEW: NEW_LABEL, BROKEN: BROKEN_LABEL}
_FIRST = {
    f"{alias}/{endpoint}": version for alias, version in zip(ALIASES, (OLD, STAGED), strict=True) for endpoint in ENDPOINTS
}
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Outcome:
    """A step of the tour: `seconds` from the commit until it was seen, None if it was not."""

    step: str
    seconds: float | None
    requests: Counts


class Tour:
    """One tour; each step is a method that commits and waits for what must follow."""

    def __init__(self, copy: Scratch, serving: Serving, traffic: Traffic, say: Say) -> None:
        self._repository = Repository(copy)
        self._picture = (copy.directory / "digits" / "7.png").read_bytes()
        self._serving = serving
        self._traffic = traffic
        self._say = say

    def run(self) -> Iterable[Outcome]:
        yield self._switch("a commit releases", "staging", NEW, self._repository.release)
        merges: list[Commit] = []
        promote = partial(_kept, merges, self._repository.promote_by_merge)
        yield self._switch("a merge promotes", "production", NEW, promote)
        broken: list[Commit] = []
        yield self._refusal("a broken version gets no alias", partial(_kept, broken, self._repository.release_broken))
        yield self._recovery("a revert takes it out of git", partial(self._repository.revert, broken[0]))
        back = partial(self._repository.revert, merges[0], merge=True)
        yield self._switch("a revert rolls production back", "production", OLD, back)

    def _switch(self, step: str, alias: str, version: str, commit: Callable[[], Commit]) -> Outcome:
        """Every endpoint of the alias changes to the version, once, and nothing else changes."""
        began, before = self._begin(step, commit)
        wanted = {f"{alias}/{endpoint}": version for endpoint in ENDPOINTS}
        at = self._traffic.await_versions(wanted, began, began + LONGEST)
        self._say(f"{alias} answers with {version}, {at - began:.1f} s after the commit" if at else f"{version} was not seen")
        return self._end(step, at, began, before, wanted)

    def _refusal(self, step: str, commit: Callable[[], Commit]) -> Outcome:
        """The version runs, its golden requests fail, and no alias changes."""
        began, before = self._begin(step, commit)
        plan = self._await_plan(began, _has_refused_both)
        if plan is not None:
            self._say(f"its own URL says that 7 is a {self._digit_of(BROKEN)}; the aliases stay on {NEW}")
        return self._end(step, time.monotonic() if plan else None, began, before, {})

    def _recovery(self, step: str, commit: Callable[[], Commit]) -> Outcome:
        """Git says again what is served, so nothing is left to complain about, and no alias changes."""
        began, before = self._begin(step, commit)
        plan = self._await_plan(began, lambda plan: plan.is_settled)
        return self._end(step, time.monotonic() if plan else None, began, before, {})

    def _begin(self, step: str, commit: Callable[[], Commit]) -> tuple[float, Counts]:
        before = self._traffic.counts
        made = commit()
        self._revision = made.id
        began = time.monotonic()
        note(f"\n== {step}:  {made.command}")
        return began, before

    def _end(self, step: str, at: float | None, began: float, before: Counts, wanted: Mapping[str, str]) -> Outcome:
        time.sleep(_SETTLE)
        changed = sorted((seen.name, seen.version) for seen in self._traffic.changes(began))
        if at is not None and changed != sorted(wanted.items()):
            self._say(f"unexpected answers: {', '.join(f'{name} from {version}' for name, version in changed) or 'none'}")
            at = None
        return Outcome(step, None if at is None else at - began, self._traffic.counts.since(before))

    def _await_plan(self, began: float, fits: Callable[[Plan], bool]) -> Plan | None:
        """A plan for the newest commit that fits."""
        while time.monotonic() < began + LONGEST:
            for unit in self._serving.controller.units():
                result = self._serving.controller.result(unit)
                current = result and unit.deployment == DEPLOYMENT and result.plan.revision.endswith(self._revision)
                if result and current and fits(result.plan):
                    return result.plan
            time.sleep(_LOOK_EVERY)
        return None

    def _digit_of(self, version: str) -> object:
        url = f"{self._serving.url}{_PREFIX}/{version}/predict-digit"
        try:
            answer = httpx2.post(url, content=self._picture, headers={"Content-Type": "image/png"}, timeout=10, trust_env=False)
            return answer.json().get("digit", "?")
        except (httpx2.HTTPError, ValueError):
            return "?"


def give_tour(copy: Scratch, serving: Serving, say: Say) -> int:
    """The whole tour with its table; OK when every step was seen and no request failed."""
    outcomes: list[Outcome] = []
    asked = questions(copy, serving.url)
    with Traffic(asked) as traffic:
        say(f"{len(asked)} clients keep sending to {DEPLOYMENT}; every answer is checked")
        traffic.await_versions(_FIRST, 0.0, time.monotonic() + LONGEST)
        for outcome in Tour(copy, serving, traffic, say).run():
            outcomes.append(outcome)
            if outcome.seconds is None:
                break
    return _report(outcomes, traffic)


def questions(copy: Scratch, url: str) -> dict[str, Question]:
    """One for each endpoint of each alias. `greet-me` starts anew for each request, so it is asked less often."""
    picture = (copy.directory / "digits" / "7.png").read_bytes()
    found = {}
    for alias in ALIASES:
        base = f"{url}{_PREFIX}/{alias}"
        found[f"{alias}-greet"] = Question(alias, "greet-me", f"{base}/greet-me", _is_greeting, 0.2)
        found[f"{alias}-predict"] = Question(alias, "predict-digit", f"{base}/predict-digit", _is_seven, 0.02, picture)
    return found


def _is_greeting(version: str, answer: httpx2.Response) -> bool:
    """The server of the Valohai page prints its environment, in which its version's own URL stands."""
    return "Hello world!" in answer.text and f"VH_DEFAULT_PREFIX = '{_PREFIX}/{version}/greet-me'" in answer.text


def _is_seven(version: str, answer: httpx2.Response) -> bool:
    try:
        body = json.loads(answer.text)
    except ValueError:
        return False
    return bool(body.get("digit") == 7 and body.get("model") == _LABELS.get(version))


def _has_refused_both(plan: Plan) -> bool:
    refused = {failure.subject.name for failure in plan.failures if BROKEN in failure.message}
    return {f"{DEPLOYMENT}/{alias}" for alias in ALIASES} <= refused


def _kept(kept: list[Commit], make: Callable[[], Commit]) -> Commit:
    kept.append(make())
    return kept[-1]


def _report(outcomes: list[Outcome], traffic: Traffic) -> int:
    rows = [
        {
            "step": outcome.step,
            "seconds": "not seen" if outcome.seconds is None else f"{outcome.seconds:.1f}",
            "requests": str(outcome.requests.sent),
            "failed": str(outcome.requests.failed),
        }
        for outcome in outcomes
    ]
    note("")
    print_rows(rows, "table", columns=("step", "seconds", "requests", "failed"))
    click.echo(f"{traffic.counts.sent} requests in all, {traffic.counts.failed} failed")
    for failure in traffic.failures:
        note(f"failed: {failure}")
    seen = all(outcome.seconds is not None for outcome in outcomes)
    return OK if seen and traffic.counts.failed == 0 else ERROR

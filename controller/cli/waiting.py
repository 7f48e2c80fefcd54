"""`status --wait`: until a revision serves, or until it is known that it will not."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from controller.cli.arrival import SUSPENDED
from controller.cli.chosen import Chosen
from controller.cli.context import Place
from controller.cli.exit_codes import ERROR, OK
from controller.cli.idle_failures import idle_failure, idle_hint
from controller.cli.outlook import Looker
from controller.cli.output import hint, note
from controller.cli.overviews import look
from controller.cli.status_document import Overview
from controller.cli.status_text import short
from controller.cli.unit_status import UnitStatus
from controller.model.conditions import Health
from controller.model.errors import Stalled, Transient
from controller.model.source import Revision
from controller.plan.grouping import grouped
from controller.source.repository import Repository

_LOOK_EVERY = 0.5


@dataclass(frozen=True, slots=True)
class Verdict:
    """How the waiting ended; `hint` is the next step."""

    serves: bool
    reason: str
    hint: str | None = None


def verdict(found: Overview) -> Verdict | None:
    """Whether everything serves, or why something never will by itself; None while that is open."""
    if found.pid is None:
        return Verdict(False, "no controller runs here, so nothing will happen", "pointsman up")
    for status in found.units:
        if ended := _failed(status):
            return ended
    if found.units and all(_serves(status) for status in found.units):
        return Verdict(True, f"{short(found.revision) if found.revision else found.source} serves")
    return None


def _failed(status: UnitStatus) -> Verdict | None:
    """Why a unit will not serve by itself; None while it may."""
    name = status.unit.deployment
    if status.failures:
        return Verdict(False, f"{name}: {grouped(status.failures)[0].message}", "a new commit, or: pointsman reconcile")
    if status.holds:
        return Verdict(False, f"{name}: held: {status.holds[0].message}", status.holds[0].hint)
    if _is_suspended(status):
        return Verdict(False, f"{name}: {status.health.message}", f"pointsman resume {name}")
    if status.settled is None and (stalled := _stalled(status)):
        return Verdict(False, f"{name}: {stalled}")
    if status.settled is False and all(alias.settled for alias in status.aliases) and (idle := idle_failure(status)):
        return Verdict(False, f"{name}: {idle}", idle_hint(status))
    return None


def _is_suspended(status: UnitStatus) -> bool:
    """Whether a person suspended it; what a mistake or a removal holds is told as a hold."""
    if status.settled is None:
        return status.health.health is Health.SUSPENDED
    return any(gate.reason == SUSPENDED for gate in status.gates)


def _serves(status: UnitStatus) -> bool:
    if status.settled is not None:
        return status.settled
    return any(condition.type == "Ready" and condition.status == "True" for condition in status.conditions)


def _stalled(status: UnitStatus) -> str | None:
    return next((condition.message for condition in status.conditions if condition.type == "Stalled"), None)


def wait(place: Place, chosen: Chosen, revision: str, timeout: float) -> int:
    """The exit code; what goes on is told on stderr, the reason of a failure as the last line."""
    commit = commit_named(place, revision)
    with Looker(place) as looker:
        return tell(
            wait_for(
                lambda: _look(place, looker, chosen),
                lambda found: _unreachable(looker, commit, found) or verdict(found),
                timeout,
            )
        )


def tell(ended: Verdict) -> int:
    """Say how it ended, the reason of a failure as the last line; the exit code."""
    if ended.serves:
        note(ended.reason)
        return OK
    if ended.hint:
        hint(ended.hint)
    note(f"error: {' '.join(ended.reason.split())}")
    return ERROR


def commit_named(place: Place, revision: str) -> str:
    """The commit that a person's word means here; empty where there is no git. Raises Stalled for an unknown one."""
    repository = Repository.around(place.source)
    if repository is None or not place.has_declared_tree:
        if revision != "HEAD":
            raise Stalled(f"{place.source} has no commits that could be waited for", hint="leave --revision out")
        return ""
    commit = repository.commit_of("HEAD") if revision == "HEAD" else _asked(repository, revision)
    if not commit:
        raise Stalled(f"git knows no commit `{revision}` here", hint="git log --oneline")
    return commit


def _asked(repository: Repository, revision: str) -> str:
    git = repository.git()
    name = f"{revision}^{{commit}}"
    if not git.succeeds("rev-parse", "--verify", "--quiet", "--end-of-options", name):
        return ""
    return git.text("rev-parse", "--verify", "--end-of-options", name).split()[-1]


def wait_for(
    look: Callable[[], Overview], judge: Callable[[Overview], Verdict | None], timeout: float, every: float = _LOOK_EVERY
) -> Verdict:
    """Look every so many seconds until it is decided, or the time is over; what is waited for goes to stderr."""
    started = time.monotonic()
    told: set[str] = set()
    words = "nothing is known yet"
    while True:
        elapsed = time.monotonic() - started
        found = look()
        ended = judge(found)
        if ended is not None:
            return ended
        for words in progress(found):
            if words not in told:
                note(f"{elapsed:6.1f} s  {words}")
                told.add(words)
        if elapsed >= timeout:
            return Verdict(False, f"timed out after {timeout:g} s: {words}", "pointsman status")
        time.sleep(min(every, max(timeout - elapsed, 0.0)))


def _look(place: Place, looker: Looker, chosen: Chosen) -> Overview:
    """A controller that is busy or a store that changes under the look is no reason to give up."""
    nothing = Overview(str(place.source), None, None, "", (), (), ())
    owner = place.state.owner
    if owner is None:
        return nothing
    try:
        return look(place, looker, chosen)
    except Transient as error:
        return replace(nothing, pid=owner.pid, errors=(error.message,))


def _unreachable(looker: Looker, commit: str, found: Overview) -> Verdict | None:
    """The controller follows the checked-out branch; a commit that is not on it will never serve."""
    if not (commit and found.revision):
        return None
    head = Revision.parse(found.revision)
    if not head.commit or commit == head.commit or looker.is_ancestor(commit, head.commit):
        return None
    return Verdict(
        False, f"the checked-out {head.branch} does not hold {commit[:10]}", f"git switch, or git merge {commit[:10]}"
    )


def progress(found: Overview) -> Iterator[str]:
    """What a person may want to hear while nothing is decided."""
    for error in found.errors:
        yield error if found.targets else f"source: {error}"
    if found.targets and not found.units and not found.errors:
        yield f"no controller has looked at it yet on {', '.join(found.targets)}"
    for status in found.units:
        waits = [gate.message for gate in status.gates if not gate.clock]
        if not waits and not _serves(status):
            waits = [status.health.message or "at work"]
        for words in waits:
            yield f"{status.unit.deployment}: {words}"

"""`status --wait` on Kubernetes targets: the records decide, read with the caller's own rights."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace

from controller.cli.arrival import SUSPENDED, stops
from controller.cli.chosen import Chosen
from controller.cli.cluster_view import only_chosen
from controller.cli.concerns import AliasAt, Concerns
from controller.cli.context import find_place
from controller.cli.idle_failures import idle_failure, idle_hint
from controller.cli.status_document import Overview
from controller.cli.tree import DeclaredTree, tree_at
from controller.cli.unit_status import AliasStatus, UnitStatus
from controller.cli.waiting import Verdict, commit_named, wait_for
from controller.loading.loader import load
from controller.model.errors import Stalled
from controller.model.source import Revision, commit_in

_LOOK_EVERY = 2.0
_TRY_AGAIN = "a new commit, or: pointsman reconcile"


def wait_on_clusters(
    look: Callable[[], Overview], targets: Collection[str], chosen: Chosen, revision: str, timeout: float
) -> Verdict:
    """Until every chosen unit on these targets serves the revision, or one never will by itself. `look` sees all units.

    What the commit declares may come yet. Raises Stalled for a deployment or alias that neither it nor a target has.
    """
    place = find_place(None, None)
    if not place.has_declared_tree:
        if revision != "HEAD":
            raise Stalled(f"{place.source} declares nothing, so no commit is known here", hint="leave --revision out")
        return wait_for(lambda: only_chosen(look(), chosen), lambda found: judge(found, None), timeout, every=_LOOK_EVERY)
    commit = commit_named(place, revision)
    concerns = Concerns(tree_at(place), commit)
    awaited = _declared_of(chosen, concerns)

    def looks() -> Overview:
        return only_chosen(look(), chosen, awaited)

    if chosen.alias:
        return wait_for(looks, lambda found: judge_alias(found, concerns), timeout, every=_LOOK_EVERY)
    wanted = frozenset({chosen.deployment}) if chosen.deployment else _declared_for(concerns.tree, targets)
    return wait_for(looks, lambda found: judge(found, concerns, wanted), timeout, every=_LOOK_EVERY)


def _declared_of(chosen: Chosen, concerns: Concerns) -> Chosen:
    """As much of what a person named as the commit declares."""
    if chosen.deployment is None or not concerns.declares(chosen.deployment):
        return Chosen()
    if chosen.alias is None or not concerns.declares(chosen.deployment, chosen.alias):
        return Chosen(chosen.deployment)
    return chosen


def _declared_for(tree: DeclaredTree, targets: Collection[str]) -> frozenset[str]:
    """The deployments that are to be on these targets, as far as their names tell; an unnamed target is every one's."""
    deployments = load(tree.snapshot).deployments.values()
    return frozenset(d.name for d in deployments if d.target is None or d.target in targets)


def judge(found: Overview, concerns: Concerns | None, wanted: frozenset[str] = frozenset()) -> Verdict | None:
    """PURE but for git: None while it is open. A unit whose controller has not looked at the commit yet is open.

    `wanted` are the deployments that must have a unit, as far as they are for these targets.
    """
    for status in found.units:
        if not _is_behind(status.attempted, status, concerns) and (trouble := _trouble(found.revision, status, concerns)):
            return trouble
    missing = wanted - {status.unit.deployment for status in found.units}
    served = all(_serves(status, concerns) for status in found.units)
    if found.errors or missing or not found.units or not served:
        return None
    return _arrived(found, concerns)


def judge_alias(found: Overview, concerns: Concerns) -> Verdict | None:
    """The same for units of which only one alias was asked for: whatever else is in them neither ends nor blocks it."""
    seen = [s for s in found.units if not _is_behind(s.attempted, s, concerns)]
    open_ones = [(s, a) for s in seen for a in s.aliases if not arrived(found.revision, s, a, concerns)]
    for status, alias in open_ones:
        if alias.arrival.stopped:
            return Verdict(False, f"{status.unit.deployment}: {alias.arrival.stopped}", _next_step(status))
    if found.errors or not any(s.aliases for s in found.units) or open_ones or len(seen) < len(found.units):
        return None
    return _arrived(found, concerns)


def arrived(revision: str | None, status: UnitStatus, alias: AliasStatus, concerns: Concerns) -> bool:
    """Whether the alias is where the commit wants it, or a later one that its controller has seen.

    `revision` is what git says now. The alias is there when nothing that concerns it was changed since the revisions at
    which its endpoints were known to be as git wanted them.
    """
    wants = alias.pinned or alias.wants
    if wants != alias.version and commit_in(revision or "") == concerns.commit:
        return False
    later = replace(concerns, commit=commit_in(status.attempted) or concerns.commit)
    at = AliasAt(alias.name, alias.version or "")
    since = alias.arrival.since
    return bool(since) and all(
        any(goal.covers(one, status.unit.deployment, at) for goal in (concerns, later) for one in any_of) for any_of in since
    )


def _arrived(found: Overview, concerns: Concerns | None) -> Verdict:
    branches = (Revision.parse(status.attempted).branch for status in found.units if commit_in(status.attempted))
    branch = next(branches, "")
    at = f"{branch}@" if branch else ""
    return Verdict(True, f"{at}{concerns.commit[:10]} serves" if concerns else "everything serves")


def _is_behind(revision: str, status: UnitStatus, concerns: Concerns | None) -> bool:
    return concerns is not None and not concerns.covers(revision, status.unit.deployment)


def _trouble(revision: str | None, status: UnitStatus, concerns: Concerns | None) -> Verdict | None:
    """Why this unit will not serve the commit by itself."""
    if stopped := next(stops(status.conditions), None):
        return Verdict(False, f"{status.unit.deployment}: {stopped.message}", _next_step(status))
    if concerns is None or _serves(status, concerns) or not all(arrived(revision, status, a, concerns) for a in status.aliases):
        return None
    idle = idle_failure(status)
    return Verdict(False, f"{status.unit.deployment}: {idle}", idle_hint(status)) if idle else None


def _next_step(status: UnitStatus) -> str:
    """What lets a unit go on after it stopped."""
    is_suspended = any(condition.reason == SUSPENDED for condition in status.conditions)
    return f"pointsman resume {status.unit.deployment}" if is_suspended else _TRY_AGAIN


def _serves(status: UnitStatus, concerns: Concerns | None) -> bool:
    ready = any(c.type == "Ready" and c.status == "True" for c in status.conditions)
    return ready and not _is_behind(status.applied, status, concerns)

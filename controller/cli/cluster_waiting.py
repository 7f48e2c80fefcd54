"""`status --wait` on Kubernetes targets: the records decide, read with the caller's own rights."""

from __future__ import annotations

from collections.abc import Callable, Collection

from controller.cli.chosen import Chosen
from controller.cli.concerns import Concerns
from controller.cli.context import find_place
from controller.cli.status_document import Overview
from controller.cli.tree import DeclaredTree, tree_at
from controller.cli.unit_status import UnitStatus
from controller.cli.waiting import Verdict, commit_named, wait_for
from controller.loading.loader import load
from controller.model.conditions import Condition
from controller.model.errors import Stalled

_LOOK_EVERY = 2.0
_SUSPENDED = "Suspended"


def wait_on_clusters(
    look: Callable[[], Overview], targets: Collection[str], chosen: Chosen, revision: str, timeout: float
) -> Verdict:
    """Until every chosen unit on these targets serves the revision, or one never will by itself."""
    place = find_place(None, None)
    if not place.has_declared_tree:
        if revision != "HEAD":
            raise Stalled(f"{place.source} declares nothing, so no commit is known here", hint="leave --revision out")
        return wait_for(look, lambda found: judge(found, None), timeout, every=_LOOK_EVERY)
    commit = commit_named(place, revision)
    concerns = Concerns(tree_at(place), commit)
    wanted = frozenset({chosen.deployment}) if chosen.deployment else _declared_for(concerns.tree, targets)
    return wait_for(look, lambda found: judge(found, concerns, wanted), timeout, every=_LOOK_EVERY)


def _declared_for(tree: DeclaredTree, targets: Collection[str]) -> frozenset[str]:
    """The deployments that are to be on these targets, as far as their names tell; an unnamed target is every one's."""
    deployments = load(tree.snapshot).deployments.values()
    return frozenset(d.name for d in deployments if d.target is None or d.target in targets)


def judge(found: Overview, concerns: Concerns | None, wanted: frozenset[str] = frozenset()) -> Verdict | None:
    """PURE but for git: None while it is open. A unit whose controller has not looked at the commit yet is open.

    `wanted` are the deployments that must have a unit, as far as they are for these targets.
    """
    for status in found.units:
        if _is_behind(status.attempted, status, concerns):
            continue
        if trouble := _trouble(status):
            return Verdict(False, f"{status.unit.deployment}: {trouble.message}", "a new commit, or: pointsman reconcile")
    missing = wanted - {status.unit.deployment for status in found.units}
    served = all(_serves(status, concerns) for status in found.units)
    if found.errors or missing or not found.units or not served:
        return None
    return Verdict(True, f"{concerns.commit[:10] if concerns else 'everything'} serves")


def _is_behind(revision: str, status: UnitStatus, concerns: Concerns | None) -> bool:
    return concerns is not None and not concerns.covers(revision, status.unit.deployment)


def _trouble(status: UnitStatus) -> Condition | None:
    stopped = (c for c in status.conditions if c.type == "Stalled" or c.reason == _SUSPENDED)
    return next(stopped, None)


def _serves(status: UnitStatus, concerns: Concerns | None) -> bool:
    ready = any(c.type == "Ready" and c.status == "True" for c in status.conditions)
    return ready and not _is_behind(status.applied, status, concerns)

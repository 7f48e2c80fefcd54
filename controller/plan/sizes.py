"""How many replicas each workload has now: by what leads to it, what is to lead to it, and what just left it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from controller.model import labels
from controller.model.desired import Workload
from controller.model.objects import Object, annotation, at, put
from controller.model.record import FactKind
from controller.plan.compare import stripped
from controller.plan.standing import Phase, standing
from controller.plan.switch import Switch
from controller.plan.view import View


@dataclass(frozen=True, slots=True)
class Size:
    """`replicas` None leaves the number to the autoscaler between `minimum` and the workload's maximum.

    `guarded` workloads have a PodDisruptionBudget: those that an alias names, or named until a while ago.
    """

    replicas: int | None
    minimum: int
    guarded: bool


def size_of(view: View, workload: Workload, switches: Mapping[str, Switch]) -> Size:
    """The size of a desired workload at this moment."""
    named = workload.name in view.alias_backends or any(workload in s.target.values() for s in switches.values())
    forced = _recreated(view, workload.name, switches)
    if forced is not None:
        return Size(forced, forced, named)
    if not named:
        phase = standing(view, workload.name).phase
        count = _unnamed(view, workload, phase)
        return Size(count, count, phase is not Phase.DONE)
    wanted = max(workload.scale.min, 1, _matched(view, workload, switches))
    return Size(None if workload.autoscaler else wanted, wanted, named)


def _unnamed(view: View, workload: Workload, phase: Phase) -> int:
    idle, floor = view.desired.idle_replicas, max(workload.scale.min, 1)
    if phase in (Phase.LEAVING, Phase.DRAINING):
        return max(view.replicas(workload.name), floor)
    return max(idle, floor) if phase is Phase.WARM else idle


def _matched(view: View, workload: Workload, switches: Mapping[str, Switch]) -> int:
    """As many as serve now what this one takes over, until their drain has ended."""
    serving = [0]
    for switch in switches.values():
        if switch.target.get(workload.endpoint) != workload:
            continue
        subject = f"{switch.alias.name}/{workload.endpoint}"
        lefts = [f.input for f in view.facts(FactKind.LEFT) if f.subject == subject]
        names = {switch.old(workload.endpoint) or "", *lefts} - {workload.name}
        serving += [view.ready(n) for n in names if standing(view, n).phase >= Phase.DRAINING]
    return min(max(serving), workload.scale.max)


def _recreated(view: View, name: str, switches: Mapping[str, Switch]) -> int | None:
    """Under `strategy: recreate` the old goes to 0 before the new starts, and comes back first if that fails."""
    if view.desired.rollout.strategy != "recreate":
        return None
    for switch in switches.values():
        for endpoint, workload in switch.target.items():
            old = switch.old(endpoint)
            if old in (None, workload.name):
                continue
            if name == workload.name and (switch.failures or _runs(view, old or "")):
                return 0
            if name == old and is_replaced(view, switch, old):
                return 0
    return None


def is_replaced(view: View, switch: Switch, old: str) -> bool:
    """Whether `old` makes room now: every gate that needs no pod of the new one has passed, and no other alias needs it."""
    waits_for_pods = not (switch.failures or switch.holds or switch.settled or switch.moves)
    blocked = {"ImageMissing", "SecretMissing", "Confirming"} & {g.reason for g in switch.gates}
    others = view.alias_backends.get(old, frozenset()) - {switch.alias.name}
    return waits_for_pods and not blocked and not others


def _runs(view: View, name: str) -> bool:
    deployment = view.deployment(name)
    return bool(deployment and at(deployment, "status", "replicas", default=0))


def resized(observed: Object, replicas: int) -> dict[str, Any]:
    """An observed Deployment with another size: for workloads whose declaration has left git."""
    return put(stripped(observed), replicas, "spec", "replicas")


def kept_scale(observed: Object) -> int:
    """The smallest size that a workload had while an alias served it; 1 where the object does not say."""
    text = annotation(observed, labels.SCALE) or "1"
    return int(text) if text.isdigit() else 1

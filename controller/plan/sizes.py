"""How many replicas each workload has now: by what leads to it, what is to lead to it, and what just left it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from controller.model import labels
from controller.model.desired import Workload
from controller.model.objects import Object, annotation, at, put
from controller.model.record import FactKind
from controller.model.routes import backend_of
from controller.plan.compare import stripped
from controller.plan.fact_names import route_subject, version_url
from controller.plan.standing import Phase, after, standing
from controller.plan.switch import Switch
from controller.plan.view import View

_WAITING = ("status", "containerStatuses", 0, "state", "waiting", "reason")


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
    forced = recreated(view, workload.name, switches)
    if forced is not None:
        return Size(forced, forced, named)
    if not named:
        phase = standing(view, workload.name).phase
        count = _unnamed(view, workload, switches, phase)
        return Size(count, count, phase is not Phase.DONE)
    wanted = max(workload.scale.min, 1, _matched(view, workload, switches))
    return Size(None if workload.autoscaler else wanted, wanted, named)


def _unnamed(view: View, workload: Workload, switches: Mapping[str, Switch], phase: Phase) -> int:
    if phase in (Phase.LEAVING, Phase.DRAINING):
        return view.replicas(workload.name)
    idle = view.desired.idle_replicas
    if phase is Phase.WARM:
        return max(idle, workload.scale.min, 1)
    return max(idle, _matched(view, workload, switches)) if idle else 0


def _matched(view: View, workload: Workload, switches: Mapping[str, Switch]) -> int:
    """As many as serve now what this one takes over, until their drain has ended."""
    endpoint = workload.endpoint
    sources = {version_url(workload): backend_of(view.version_routes.get((workload.version, endpoint)))}
    for switch in switches.values():
        if switch.target.get(endpoint) == workload:
            sources[route_subject(switch.alias.name, endpoint)] = switch.old(endpoint)
    lefts = (f for s in sources for f in view.facts_about(FactKind.LEFT, s) if after(view, f).phase >= Phase.DRAINING)
    names = {*filter(None, sources.values()), *(f.input for f in lefts)} - {workload.name}
    return min(max(map(view.ready, names), default=0), workload.scale.max)


def recreated(view: View, name: str, switches: Mapping[str, Switch]) -> int | None:
    """Under `strategy: recreate` the old goes to 0 before the new starts, and comes back first if that fails."""
    if view.desired.rollout.strategy != "recreate":
        return 0 if yields_port(view, name, switches) else None
    leading = [switches.get(alias) for alias in view.alias_backends.get(name, ())]
    if leading:
        leaving = [s for s in leading if s and name not in s.names and (s.moves or _waits_for_pods(s))]
        if len(leaving) < len(leading):
            return None
        return view.replicas(name) if any(s.moves for s in leaving) else 0
    aiming = [(s, s.old(e) or "") for s in switches.values() for e, w in s.target.items() if w.name == name]
    if any(switch.failures for switch, _ in aiming):
        return 0
    if any(_runs(view, old) and not _needed_elsewhere(view, switches, switch, old) for switch, old in aiming):
        return view.replicas(name)
    return None


def yields_port(view: View, name: str, switches: Mapping[str, Switch]) -> bool:
    """Whether a server whose port the embedded target cannot map ends so that the one that an alias waits for can listen."""
    if any(name in switch.names for switch in switches.values()) or port_blocked(view, name):
        return False
    waiting = {e for s in switches.values() if not s.in_place for e, w in s.target.items() if port_blocked(view, w.name)}
    deployment = view.deployment(name)
    return deployment is not None and annotation(deployment, labels.ENDPOINT) in waiting


def port_blocked(view: View, workload: str) -> bool:
    """Whether a replica waits for a port that another server on this machine holds."""
    return any(at(pod, *_WAITING) == "PortInUse" for pod in view.pods(workload))


def _waits_for_pods(switch: Switch) -> bool:
    """Whether every gate that needs no pod of the new workloads has passed."""
    blocked = {"ImageMissing", "SecretMissing", "Confirming"} & {gate.reason for gate in switch.gates}
    return not (blocked or switch.failures or switch.holds or switch.settled)


def _needed_elsewhere(view: View, switches: Mapping[str, Switch], switch: Switch, old: str) -> bool:
    """Whether another alias stays on `old`, so that the new workload has to find room beside it."""
    others = [switches.get(alias) for alias in view.alias_backends.get(old, frozenset()) - {switch.alias.name}]
    return any(other is None or old in other.names or other.holds or other.failures for other in others)


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


def owns_replicas(observed: Object) -> bool:
    """Whether the number of replicas on the target is the one that we applied, and nobody's who came after."""
    entries = at(observed, "metadata", "managedFields", default=())
    ours = (e for e in entries if e.get("manager") == labels.FIELD_MANAGER and e.get("operation") == "Apply")
    return any(at(e, "fieldsV1", "f:spec", "f:replicas") is not None for e in ours)

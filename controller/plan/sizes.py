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
from controller.plan.recreate import forced_replicas
from controller.plan.standing import Phase, after, standing
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
    forced = forced_replicas(view, workload.name, switches)
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

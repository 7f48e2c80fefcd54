"""Whether the nodes have room for replicas: said before they are made, and why later ones find no node.

It holds no pod back: a cluster that adds nodes by itself does so for pods that wait.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from controller.health.pod import is_unscheduled
from controller.model.changes import Operation, Plan
from controller.model.desired import Workload
from controller.model.objects import Object, at
from controller.model.observed import NodeRoom
from controller.plan.view import View
from controller.render.quantity import amount

_UNITS = {"cpu": ("CPU", 1.0), "memory": ("GB memory", 1e9), "ephemeral-storage": ("GB disk", 1e9)}
_ROUNDING = 1e-9
"""0.3 CPU hold three times 0.1, but not as floats."""
_EFFECTS = ("NoSchedule", "NoExecute")


@dataclass(frozen=True, slots=True)
class Shortage:
    """`never`: no node could hold one replica even if it were empty. Else there is no room for all of them at the moment.

    `absent`: no node is of the kind that it needs. A cluster may add one for a pod that waits, as to a pool scaled to zero.
    """

    never: bool
    message: str
    absent: bool = False


def asks_for_nodes(plan: Plan) -> bool:
    """Whether the plan would be truer with the nodes at hand.

    It adds replicas, some wait for a node, or it stops what serves for others that are not ready.
    """
    reasons = {gate.reason for gate in plan.gates}
    resized = [c for c in plan.changes if any(field.path == "spec.replicas" for field in c.fields)]
    if "WaitingForCapacity" in reasons or ("NotReady" in reasons and resized):
        return True
    return any(_adds_replicas(c.operation, c.desired, [f.path for f in c.fields]) for c in plan.changes)


def shortage(view: View, workload: Workload, wanted: int) -> Shortage | None:
    """What is missing for `wanted` replicas of a workload; None where they fit, or nobody knows the nodes."""
    if view.observed.nodes is None:
        return None
    if not view.observed.nodes:
        return Shortage(False, "no node takes pods at the moment", absent=True)
    pod = workload.deployment["spec"]["template"]["spec"]
    needs = _needs(pod)
    allowed = [node for node in view.observed.nodes if _admits(node, pod)]
    if not any(_has_devices(needs, node) for node in allowed):
        return Shortage(False, _never(needs, allowed, pod), absent=True)
    if not any(_fits(needs, node.allocatable) for node in allowed):
        return Shortage(True, _never(needs, allowed, pod))
    missing = wanted - sum(not is_unscheduled(p) for p in view.pods(workload.name))
    room = sum(min(_times(needs, node.free), missing) for node in allowed)
    if missing <= room:
        return None
    return Shortage(False, f"no node has room at the moment for {missing - room} more, each with {_words(needs)}")


def waits_for_node(pods: Iterable[Object]) -> bool:
    """Whether the scheduler has found no node for one of the pods."""
    return any(is_unscheduled(pod) for pod in pods)


def _adds_replicas(operation: Operation, desired: Object | None, paths: list[str]) -> bool:
    if desired is None or desired["kind"] != "Deployment":
        return False
    some = at(desired, "spec", "replicas") != 0
    return some and (operation is Operation.CREATE or any(path == "spec.replicas" for path in paths))


def _needs(pod: Object) -> dict[str, float]:
    """What one pod asks of a node; a limit without a request counts as one (kubernetes.io, "Resource Management")."""
    total = {"pods": 1.0}
    for container in pod["containers"]:
        resources = container.get("resources") or {}
        asked = {**(resources.get("limits") or {}), **(resources.get("requests") or {})}
        for name, text in asked.items():
            total[name] = total.get(name, 0.0) + amount(text)
    return total


def _admits(node: NodeRoom, pod: Object) -> bool:
    selector = pod.get("nodeSelector") or {}
    tolerations = pod.get("tolerations") or ()
    chosen = all(node.labels.get(name) == value for name, value in selector.items())
    repelling = (taint for taint in node.taints if taint.get("effect") in _EFFECTS)
    return chosen and all(any(_tolerates(t, taint) for t in tolerations) for taint in repelling)


def _tolerates(toleration: Mapping[str, str], taint: Mapping[str, str]) -> bool:
    if toleration.get("effect", taint["effect"]) != taint["effect"]:
        return False
    if "key" not in toleration:
        return True
    same = toleration["key"] == taint["key"]
    return same and (toleration.get("operator") == "Exists" or toleration.get("value", "") == taint.get("value", ""))


def _has_devices(needs: Mapping[str, float], node: NodeRoom) -> bool:
    """Whether a node has some of each device that is asked for, such as a GPU; any node has the other things."""
    devices = needs.keys() - _UNITS.keys() - {"pods"}
    return all(node.allocatable.get(name) for name in devices if needs[name])


def _fits(needs: Mapping[str, float], room: Mapping[str, float]) -> bool:
    return all(room.get(name, 0.0) >= number for name, number in needs.items())


def _times(needs: Mapping[str, float], room: Mapping[str, float]) -> int:
    return max(0, min(int(room.get(name, 0.0) / number + _ROUNDING) for name, number in needs.items() if number))


def _never(needs: Mapping[str, float], allowed: list[NodeRoom], pod: Object) -> str:
    if not allowed:
        where = ", ".join(f"{name}={value}" for name, value in (pod.get("nodeSelector") or {}).items())
        return f"no node is labelled {where} and lets it in" if where else "every node has a taint that it does not tolerate"
    most = {name: max(node.allocatable.get(name, 0.0) for node in allowed) for name in needs}
    short = [name for name in needs if most[name] < needs[name]]
    if not short:
        return f"no single node has all of {_words(needs)}"
    pairs = ((_amount(name, needs[name]), _amount(name, most[name])) for name in short)
    return "; ".join(f"needs {wanted}, and no node that it may run on has more than {found}" for wanted, found in pairs)


def _words(needs: Mapping[str, float]) -> str:
    return ", ".join(_amount(name, number) for name, number in sorted(needs.items()) if name != "pods") or "no requests"


def _amount(name: str, number: float) -> str:
    unit, size = _UNITS.get(name, (name, 1.0))
    return f"{number / size:.3g} {unit}"

"""Sizes while the old must end before the new can start: `strategy: recreate`, or a port that only one server can have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import Enum, auto

from controller.model import labels
from controller.model.objects import annotation, at
from controller.plan.switch import Switch
from controller.plan.view import View

_WAITING = ("status", "containerStatuses", 0, "state", "waiting", "reason")


class _Turn(Enum):
    """What a workload does meanwhile: run in its own size, have no replica, or stay as it is until others have ended."""

    FREE = auto()
    STOPPED = auto()
    UNCHANGED = auto()


def forced_replicas(view: View, name: str, switches: Mapping[str, Switch]) -> int | None:
    """The replicas that a workload has to have for now, or None where it may have its own size."""
    match _turn(view, name, switches):
        case _Turn.STOPPED:
            return 0
        case _Turn.UNCHANGED:
            return view.replicas(name)
        case _Turn.FREE:
            return None


def interruptions(view: View, switches: Mapping[str, Switch]) -> Iterator[str]:
    """Warnings for the switches that cannot go without failed requests."""
    recreate = view.desired.rollout.strategy == "recreate"
    for switch in switches.values():
        if not switch.current or switch.in_place or switch.failures or switch.holds:
            continue
        if recreate or any(_port_blocked(view, name) for name in switch.names):
            why = "strategy: recreate" if recreate else "its server's port cannot be mapped"
            yield f"{switch.title}: requests will fail during this switch ({why})"


def _turn(view: View, name: str, switches: Mapping[str, Switch]) -> _Turn:
    if view.desired.rollout.strategy != "recreate":
        return _Turn.STOPPED if _yields_port(view, name, switches) else _Turn.FREE
    if name in view.alias_backends:
        return _turn_of_old(view, name, switches)
    return _turn_of_new(view, name, switches)


def _turn_of_old(view: View, name: str, switches: Mapping[str, Switch]) -> _Turn:
    """What serves ends once every alias that leads to it waits for nothing but the pods of what comes after it."""
    leading = [switches.get(alias) for alias in view.alias_backends[name]]
    if any(s is None or name in s.names or not (s.moves or _waits_for_pods(s)) for s in leading):
        return _Turn.FREE
    return _Turn.UNCHANGED if any(s and s.moves for s in leading) else _Turn.STOPPED


def _turn_of_new(view: View, name: str, switches: Mapping[str, Switch]) -> _Turn:
    """What is to serve starts after the old has ended, and ends if its switch fails, so that the old comes back first."""
    aiming = [(s, s.old(e) or "") for s in switches.values() for e, w in s.target.items() if w.name == name]
    if any(switch.failures for switch, _ in aiming):
        return _Turn.STOPPED
    waits = any(_runs(view, old) and not _needed_elsewhere(view, switches, switch, old) for switch, old in aiming)
    return _Turn.UNCHANGED if waits else _Turn.FREE


def _yields_port(view: View, name: str, switches: Mapping[str, Switch]) -> bool:
    """Whether a server whose port the embedded target cannot map ends so that the one that an alias waits for can listen."""
    if any(name in switch.names for switch in switches.values()) or _port_blocked(view, name):
        return False
    waiting = {e for s in switches.values() if not s.in_place for e, w in s.target.items() if _port_blocked(view, w.name)}
    deployment = view.deployment(name)
    return deployment is not None and annotation(deployment, labels.ENDPOINT) in waiting


def _port_blocked(view: View, workload: str) -> bool:
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

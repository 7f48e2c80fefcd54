"""Every wait has an end: the clock that a wait for pods runs against, and what is remembered when it runs out."""

from __future__ import annotations

from dataclasses import dataclass

from controller.health.pod import endpoint_status
from controller.model.changes import Gate
from controller.model.diagnostics import Subject
from controller.model.objects import Object, at
from controller.model.record import Fact, FactKind
from controller.plan.fact_names import for_capacity, switch_input
from controller.plan.view import View

PULL_DEADLINE = 3600.0
"""Seconds that a workload may wait for an image pull; its own deadline counts only from then on."""

CAPACITY_DEADLINE = 900.0
"""Seconds that it may wait for a node that has room: what a cluster's autoscaler needs to add one with an accelerator."""

_NOT_STARTED = frozenset({"ContainerCreating", "PodInitializing", "ErrImagePull", "ImagePullBackOff", "PortInUse"})


@dataclass(frozen=True, slots=True)
class Wait:
    """A wait that lasts `until` then: `begun` starts its clock if none runs yet, `given_up` is there when time is over."""

    until: float
    begun: tuple[Fact, ...] = ()
    given_up: Fact | None = None


def wait(view: View, subject: str, workloads: tuple[str, ...], gates: tuple[Gate, ...]) -> Wait:
    """How long `subject` still waits for the gates of these workloads.

    From the start of their pods the rollout's deadline counts, before that those for nodes and images.
    """
    started = all(_has_started(view, name) for name in workloads)
    before = CAPACITY_DEADLINE if any(gate.reason == "WaitingForCapacity" for gate in gates) else PULL_DEADLINE
    limit = view.desired.rollout.deadline if started else before
    clock, aim = subject if started else for_capacity(subject), switch_input(workloads)
    since = view.fact(FactKind.WAITING_SINCE, clock, aim)
    if since is None:
        return Wait(view.now + limit, begun=(view.new_fact(FactKind.WAITING_SINCE, clock, aim),))
    until = since.at + limit
    if view.now < until:
        return Wait(until)
    words = "; ".join(gate.message for gate in gates)
    return Wait(until, given_up=view.new_fact(FactKind.GIVEN_UP, subject, aim, f"after {limit:g} s: {words}"))


def given_up_gate(subject: Subject, what: str, words: str) -> Gate:
    """The failure of a wait that ran out; `words` are the detail of its fact."""
    return Gate(subject, "GivenUp", f"{what} was given up {words}")


def _has_started(view: View, workload: str) -> bool:
    """Whether a pod was scheduled and its image pulled, or there will be none."""
    return view.refused_pods(workload) is not None or any(_pod_has_started(pod) for pod in view.pods(workload))


def _pod_has_started(pod: Object) -> bool:
    status = endpoint_status(pod)
    state = at(status, "state", default={})
    if "running" in state or "terminated" in state or at(status, "lastState", "terminated"):
        return True
    reason = at(state, "waiting", "reason")
    return reason is not None and reason not in _NOT_STARTED

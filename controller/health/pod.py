"""Why a pod does not serve, in the endpoint's own words."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from controller.health.last_words import last_words, one_line
from controller.model.objects import Object, at

_CONTAINER = "endpoint"
_TIMES = ("no times", "once", "twice", "three times", "four times", "five times")
_NORMAL = frozenset({"ContainerCreating", "PodInitializing"})
_UNSTARTED = frozenset({"StartError", "ContainerCannotRun"})
_PULL = frozenset({"ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName", "ImageInspectError"})
_PULLED = re.compile(r'image "([^"]+)"')
_NO_REASON = frozenset({"ErrImagePull", "rpc error"})


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with one pod. `severity` 2: it fails; 1: it waits for something; 0: it is only starting."""

    severity: int
    message: str


def explain_pods(pods: Iterable[Object]) -> str | None:
    """The most telling reason why some pod does not serve, or None while all that exist do."""
    problem = worst_problem(pods)
    return problem.message if problem else None


def worst_problem(pods: Iterable[Object]) -> Problem | None:
    """The worst problem of all pods; pods that are being deleted have none. Equal ones: the first by name."""
    living = sorted((p for p in pods if not at(p, "metadata", "deletionTimestamp")), key=_name)
    problems = [problem for pod in living if (problem := pod_problem(pod))]
    return max(problems, key=lambda p: p.severity, default=None)


def pod_problem(pod: Object) -> Problem | None:
    """What keeps one pod from serving, or None when it is ready."""
    if _condition(pod, "Ready").get("status") == "True":
        return None
    if is_unscheduled(pod):
        scheduled = _condition(pod, "PodScheduled")
        return Problem(1, f"waits for capacity: {_schedulers_words(scheduled)}")
    container = endpoint_status(pod)
    if at(pod, "status", "phase") == "Failed" and not container:
        return Problem(2, _named(at(pod, "status", "reason", default="Failed"), at(pod, "status", "message", default="")))
    return _container_problem(pod, container)


def is_unscheduled(pod: Object) -> bool:
    """Whether the scheduler has found no node for a pod."""
    return _condition(pod, "PodScheduled").get("status") == "False"


def endpoint_status(pod: Object) -> Object:
    """What kubelet says of the endpoint's container; others in the pod may be there too, put in by the cluster."""
    statuses = at(pod, "status", "containerStatuses", default=())
    named = (status for status in statuses if status.get("name") == _CONTAINER)
    return next(named, statuses[0] if statuses else {})


def _schedulers_words(scheduled: Object) -> str:
    """Without what it says of preemption, which is never asked for here."""
    words = str(scheduled.get("message") or scheduled.get("reason") or "")
    return one_line(words.partition(" preemption: ")[0].removesuffix(" no new claims to deallocate,"))


def _container_problem(pod: Object, container: Object) -> Problem | None:
    if container.get("ready"):
        return None
    state = container.get("state") or {}
    restarts = int(container.get("restartCount", 0))
    last = at(container, "lastState", "terminated")
    if ended := state.get("terminated"):
        return Problem(2, _exit(ended, restarts + 1))
    if waiting := state.get("waiting"):
        return _waiting_problem(waiting, last, restarts)
    if "running" in state and last:
        return Problem(2, f"{_exit(last, restarts)}; started again")
    if "running" in state:
        # only the process runtime says more: what it asked, and where else something listens
        return Problem(1, one_line(str(at(pod, "status", "message", default=""))) or _silent(pod))
    return Problem(0, "starting")


def _waiting_problem(waiting: Object, last: Object | None, restarts: int) -> Problem:
    reason, message = str(waiting.get("reason", "")), str(waiting.get("message", ""))
    if reason == "CrashLoopBackOff":
        # kubelet's own message there is only "back-off 40s restarting failed container"; the container's is in lastState
        return Problem(2, _exit(last, restarts + 1) if last else _named(reason, message))
    if reason in _PULL:
        return Problem(2, f"the image cannot be pulled ({_named(reason, _pullers_words(message))})")
    if reason in _NORMAL or not reason:
        return Problem(0, "starting" if not message else f"starting: {one_line(message)}")
    return Problem(2, _named(reason, message))


def _pullers_words(message: str) -> str:
    """The reason and then the image: containerd names that four times before it comes to the reason."""
    image = _PULLED.search(message)
    if image is None:
        return message
    reasons = [words for words in message.split(": ") if image[1] not in words and words not in _NO_REASON]
    return ": ".join([*reasons, image[1]]) if reasons else message


def _exit(ended: Object, times: int) -> str:
    """`exited with code 1 three times: ModuleNotFoundError: No module named 'flask'`."""
    if ended.get("reason") == "OOMKilled":
        how = "ran out of memory"
    elif ended.get("reason") in _UNSTARTED:
        how = "could not be started"
    elif signal := ended.get("signal"):
        how = f"was ended by signal {signal}"
    else:
        how = f"exited with code {ended.get('exitCode', '?')}"
    count = _TIMES[times] if times < len(_TIMES) else f"{times} times"
    words = last_words(str(ended.get("message", "")))
    return f"{how} {count}" + (f": {words}" if words else "")


def _silent(pod: Object) -> str:
    """A server that runs but does not answer its readiness probe."""
    container = at(pod, "spec", "containers", 0, default={})
    path = at(container, "readinessProbe", "httpGet", "path")
    port = at(container, "ports", 0, "containerPort")
    asked = f"GET {path}" if path else "a connection"
    where = f" on port {port}" if port else ""
    return f"runs, but does not answer {asked}{where}"


def _condition(pod: Object, kind: str) -> Object:
    found = (c for c in at(pod, "status", "conditions", default=()) if c.get("type") == kind)
    return next(found, {})


def _named(reason: str, message: str) -> str:
    words = one_line(message)
    return f"{reason}: {words}" if words else reason


def _name(pod: Object) -> str:
    return str(at(pod, "metadata", "name", default=""))

"""What a workload must have before a route may lead to it: image, Secrets, ready replicas, addresses."""

from __future__ import annotations

from collections.abc import Iterator

from controller.health.pod import explain_pods
from controller.model.changes import Gate
from controller.model.desired import Workload
from controller.model.diagnostics import Subject
from controller.model.images import BuildFailure, Image
from controller.model.routes import backend_of
from controller.plan.capacity import Shortage, shortage, waits_for_node
from controller.plan.fact_names import version_url
from controller.plan.likely_cause import likely_cause
from controller.plan.secret_commands import secret_command
from controller.plan.view import View


def missing_inputs(view: View, workload: Workload) -> Iterator[Gate]:
    """Gates before the workload can even be created: they need no pod of it."""
    subject = Subject("version", version_url(workload))
    if isinstance(workload.image, BuildFailure):
        yield _build_failure(subject, workload.endpoint, workload.image)
    elif not isinstance(workload.image, Image):
        yield Gate(subject, "ImageMissing", f"{workload.endpoint}: its image is being built")
    for ref in workload.secrets:
        if ref.key not in view.observed.secrets.get(ref.secret, frozenset()):
            command = secret_command(view, ref)
            yield Gate(subject, "SecretMissing", f"{workload.endpoint}: Secret {ref.secret} has no key {ref.key} ({command})")


def _build_failure(subject: Subject, endpoint: str, failure: BuildFailure) -> Gate:
    hint = f" ({failure.hint})" if failure.hint else ""
    if failure.permanent:
        return Gate(subject, "BuildFailed", f"{endpoint}: the image cannot be built{hint}: {failure.message}")
    return Gate(subject, "ImageMissing", f"{endpoint}: its build failed and is tried again{hint}: {failure.message}")


def not_ready(view: View, workload: Workload, wanted: int, *, hold: bool) -> Gate | None:
    """The gate until `wanted` replicas are ready, held for minReadySeconds (`hold`), and listed for the gateway."""
    subject = Subject("workload", workload.name)
    ready, available = view.ready(workload.name), view.available(workload.name)
    if ready < wanted:
        return _without_replicas(view, workload, f"{workload.endpoint} {ready} of {wanted} ready", wanted)
    if hold and available < wanted:
        seconds = workload.min_ready_seconds
        text = f"{workload.endpoint} is ready, {available} of {wanted} for {seconds} s"
        return Gate(subject, "MinReadySeconds", text)
    if view.addresses(workload.name) < wanted:
        return Gate(subject, "NoAddresses", f"{workload.endpoint}: the gateway does not list {wanted} addresses yet")
    return None


def _without_replicas(view: View, workload: Workload, counted: str, wanted: int) -> Gate:
    subject = Subject("workload", workload.name)
    found = shortage(view, workload, wanted)
    if impossible := _impossible(view, workload, found):
        return Gate(subject, "DoesNotFit", f"{workload.endpoint}: {impossible}")
    words = _why(view, workload) or (f": {found.message}" if found else "")
    if not (found or waits_for_node(view.pods(workload.name))):
        return Gate(subject, "NotReady", counted + words)
    return Gate(subject, "WaitingForCapacity", counted + words + _hint(view, workload, found))


def _impossible(view: View, workload: Workload, found: Shortage | None) -> str | None:
    """Why it is not even tried: nothing that serves is stopped for a node that only may come."""
    if found and found.never:
        return found.message
    if found and found.absent and view.desired.rollout.strategy == "recreate" and _replaces(view, workload):
        surge = "with `rollout: {strategy: surge}` a pod waits for one beside it"
        return f"{found.message}; what serves is not stopped for a node that may come ({surge})"
    return None


def _hint(view: View, workload: Workload, found: Shortage | None) -> str:
    if found and found.absent:
        return " (it waits for a node that the cluster may add)"
    surge = view.desired.rollout.strategy == "surge" and _replaces(view, workload)
    return " (`rollout: {strategy: recreate}` stops the old one first)" if surge else ""


def _replaces(view: View, workload: Workload) -> bool:
    """Whether another workload of its endpoint has room now that this one could take over."""
    serving = (backend_of(routes.get(workload.endpoint)) for routes in view.alias_routes.values())
    return any(name not in (None, workload.name) for name in serving)


def _why(view: View, workload: Workload) -> str:
    words = explain_pods(view.pods(workload.name)) or view.refused_pods(workload.name)
    if not words:
        return ""
    cause = likely_cause(words, workload.spec)
    return f": {words} → {cause}" if cause else f": {words}"


def needed(view: View, workload: Workload, old: str | None, *, named: bool) -> int:
    """Replicas that must be ready before traffic of `old` moves here: its own size, matched to what serves now."""
    size = max(workload.scale.min, 1) if named else view.desired.idle_replicas
    if size == 0:
        return 0
    serving = view.ready(old) if old and old != workload.name else 0
    return max(size, min(serving, workload.scale.max))

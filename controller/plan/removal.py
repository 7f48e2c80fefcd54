"""Why an object is deleted, in words for whoever reads the plan."""

from __future__ import annotations

from controller.model import labels
from controller.model.identity import ObjectKey
from controller.model.objects import Object, annotation
from controller.plan.guard import GUARD_KINDS
from controller.plan.view import View


def removal_reason(view: View, key: ObjectKey) -> str:
    """What the object was for and is no more."""
    if view.desired.gone:
        where = f"moved to target {view.desired.moved}" if view.desired.moved else "is no longer declared"
        return f"{view.desired.unit.deployment} {where}"
    if key.kind in ("SecurityPolicy", *GUARD_KINDS):
        return "no route needs it any more"
    if key.kind == "HTTPRoute":
        return _of_route(view, view.owned[key])
    return _of_workload(view, key, view.owned[key])


def _of_route(view: View, route: Object) -> str:
    alias, endpoint = annotation(route, labels.ALIAS), annotation(route, labels.ENDPOINT) or ""
    if not alias:
        return _undeclared(view, annotation(route, labels.VERSION) or "", endpoint)
    if alias in view.desired.aliases:
        return f"{alias} no longer leads to a version with endpoint {endpoint}"
    return f"alias {alias} is no longer declared"


def _of_workload(view: View, key: ObjectKey, obj: Object) -> str:
    version, endpoint = annotation(obj, labels.VERSION) or "", annotation(obj, labels.ENDPOINT) or ""
    if key.name not in view.desired_names:
        same = (version, endpoint) in view.desired.workloads
        return f"{version}/{endpoint} has other settings now" if same else _undeclared(view, version, endpoint)
    if key.kind == "PodDisruptionBudget":
        return f"no alias names {version} any more"
    return f"{version}/{endpoint} is not scaled by its load now"


def _undeclared(view: View, version: str, endpoint: str) -> str:
    if version in view.desired_versions:
        return f"{version} no longer declares {endpoint}"
    return f"{version} is no longer declared"

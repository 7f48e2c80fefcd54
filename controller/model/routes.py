"""The parts of an HTTPRoute that a switch moves: backend and response headers, together, in one update."""

from __future__ import annotations

from typing import Any

from controller.model import labels
from controller.model.objects import Object, annotation, at, put


def with_backend(template: Object, workload: str, version: str, *, pinned: bool = False) -> dict[str, Any]:
    """The route with its one rule leading to `workload`, and the headers and annotation that say so."""
    rule = at(template, "spec", "rules", 0)
    headers = [
        {"name": labels.HEADER_VERSION, "value": version},
        {"name": labels.HEADER_WORKLOAD, "value": workload},
        *([{"name": labels.HEADER_PINNED, "value": "true"}] if pinned else []),
    ]
    filters = [*rule["filters"], {"type": "ResponseHeaderModifier", "responseHeaderModifier": {"set": headers}}]
    backend = {"group": "", "kind": "Service", "name": workload, "port": 80, "weight": 1}
    moved = {**rule, "filters": filters, "backendRefs": [backend]}
    route = put(template, [moved], "spec", "rules")
    return put(route, version, "metadata", "annotations", labels.VERSION)


def with_revision(route: Object, revision: str) -> dict[str, Any]:
    """The route saying which revision last changed it, in its answers and its annotation."""
    rule = at(route, "spec", "rules", 0)
    filters = [_add_revision(f, revision) for f in rule["filters"]]
    marked = put(route, [{**rule, "filters": filters}], "spec", "rules")
    return put(marked, revision, "metadata", "annotations", labels.REVISION)


def _add_revision(item: Object, revision: str) -> Object:
    if item["type"] != "ResponseHeaderModifier":
        return item
    header = {"name": labels.HEADER_REVISION, "value": revision}
    others = [h for h in item["responseHeaderModifier"]["set"] if h["name"] != labels.HEADER_REVISION]
    return put(item, [*others, header], "responseHeaderModifier", "set")


def backend_of(route: Object | None) -> str | None:
    """The workload that a route leads to, or None."""
    return at(route, "spec", "rules", 0, "backendRefs", 0, "name") if route else None


def version_of(route: Object | None) -> str | None:
    """The version that a route leads to, as its annotation says."""
    return annotation(route, labels.VERSION) if route else None

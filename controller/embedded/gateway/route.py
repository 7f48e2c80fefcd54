"""An HTTPRoute compiled to what a request needs: one prefix, one backend, the filters. Immutable: a change makes a new one.

The gateway serves the shape that Pointsman writes (one URL = one route = one rule = one backend) and refuses every other:
a route that it understands only in part answers 500, it is never served without what it did not understand.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from controller.embedded.gateway.filters import Filters, UnsupportedError, compile_filters
from controller.model import labels
from controller.model.identity import ObjectKey
from controller.model.objects import Object, annotation, at, key_of

_DURATION = re.compile(r"(?:[0-9]{1,5}(?:h|ms|m|s)){1,4}")
_DURATION_PART = re.compile(r"([0-9]+)(h|ms|m|s)")
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_FORBIDDEN_IN_PATH = ("//", "/./", "/../", "%2f", "%2F", "#", "?")
_PATH_LIMIT = 1024
_RULE_FIELDS = frozenset({"name", "matches", "filters", "backendRefs", "timeouts"})

ServiceName = tuple[str, str]
"""Namespace and name of a Service."""


@dataclass(frozen=True, slots=True)
class CompiledRoute:
    """`problem` is why it answers 500 instead of serving; `timeout` is seconds until a response must have begun."""

    key: ObjectKey
    created: str
    prefix: str
    service: ServiceName | None = None
    filters: Filters = field(default_factory=Filters)
    timeout: float | None = None
    problem: UnsupportedError | None = None
    marks: Mapping[str, str] = field(default_factory=dict)

    @property
    def age_order(self) -> tuple[str, str, str]:
        """Of two routes with one path the oldest serves, then the first by name (Gateway API)."""
        return (self.created, self.key.namespace, self.key.name)


def compile_route(route: Object) -> CompiledRoute:
    """Never raises: what cannot be served becomes the route's `problem`, on the path that it claims."""
    meta = route["metadata"]
    bare = CompiledRoute(
        key=key_of(route),
        created=str(meta.get("creationTimestamp") or ""),
        prefix=_claimed_prefix(route),
        marks=_marks(route),
    )
    try:
        rule = _only(at(route, "spec", "rules"), "rule")
        _check_match(route, rule)
        if unknown := set(rule) - _RULE_FIELDS:
            raise UnsupportedError(f"not supported in a rule: {', '.join(sorted(unknown))}")
        filters = compile_filters(rule.get("filters") or (), meta.get("namespace", ""))
        return replace(bare, service=_service(route, rule), filters=filters, timeout=_timeout(rule))
    except UnsupportedError as problem:
        return replace(bare, problem=problem.with_traceback(None))
    except (TypeError, AttributeError, KeyError, ValueError) as error:
        return replace(bare, problem=UnsupportedError(f"the route's form is not understood: {error}"))


def _claimed_prefix(route: Object) -> str:
    value = at(route, "spec", "rules", 0, "matches", 0, "path", "value", default="/")
    return "/" + str(value).strip("/")[:_PATH_LIMIT]


def _marks(route: Object) -> dict[str, str]:
    names = (labels.UNIT_NAME, labels.VERSION, labels.ALIAS, labels.ENDPOINT)
    return {name: value for name in names if (value := annotation(route, name)) is not None}


def _only(items: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(items, (list, tuple)) or len(items) != 1:
        raise UnsupportedError(f"exactly one {what} is supported")
    return dict(items[0])


def _check_match(route: Object, rule: Mapping[str, Any]) -> None:
    if at(route, "spec", "hostnames"):
        raise UnsupportedError("hostnames are not supported")
    match = _only(rule.get("matches"), "match")
    path = match.get("path") or {}
    if set(match) != {"path"} or path.get("type", "PathPrefix") != "PathPrefix":
        raise UnsupportedError("only a PathPrefix match is supported")
    value = str(path.get("value", ""))
    if not value.startswith("/") or len(value) > _PATH_LIMIT or any(part in value for part in _FORBIDDEN_IN_PATH):
        raise UnsupportedError("the path is not one that Gateway API allows")


def _service(route: Object, rule: Mapping[str, Any]) -> ServiceName:
    backend = _only(rule.get("backendRefs"), "backend")
    namespace = route["metadata"].get("namespace", "")
    if backend.get("group", "") != "" or backend.get("kind", "Service") != "Service" or backend.get("filters"):
        raise UnsupportedError("the backend must be a Service without filters", reason="InvalidKind")
    if backend.get("namespace", namespace) != namespace:
        raise UnsupportedError("the backend lies in another namespace", reason="RefNotPermitted")
    return namespace, str(backend["name"])


def _timeout(rule: Mapping[str, Any]) -> float | None:
    timeouts = rule.get("timeouts") or {}
    if set(timeouts) - {"request"}:
        raise UnsupportedError("of the timeouts only `request` is supported")
    return seconds(timeouts["request"]) if "request" in timeouts else None


def seconds(duration: str) -> float | None:
    """Gateway API's duration (GEP-2257) in seconds; zero means no limit."""
    if not _DURATION.fullmatch(duration):
        raise UnsupportedError(f"`{duration}` is not a duration such as `60s`")
    return sum(int(n) * _SECONDS[unit] for n, unit in _DURATION_PART.findall(duration)) or None

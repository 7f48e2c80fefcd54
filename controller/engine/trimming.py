"""PURE: objects as the cache keeps them: without what nobody reads, and with equal texts in memory once."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from controller.model import labels
from controller.model.objects import Object, at

_LONGEST_SHARED = 120
"""Longer texts are seldom the same twice."""
_STATUS_ONLY = frozenset({"Pod", "EndpointSlice", "ConfigMap", "Namespace"})
"""Kinds of which nobody asks who wrote a field."""
_UNREAD_STATUS = frozenset({"HorizontalPodAutoscaler", "PodDisruptionBudget", "Service", "Namespace"})
"""Kinds whose status no plan reads: an autoscaler writes its own every 15 s."""
_RESTLESS = ("resourceVersion", "managedFields")


def trimmed(obj: Object) -> dict[str, Any]:
    """A copy that shares its short texts with all others."""
    kind = obj["kind"]
    meta = dict(obj["metadata"])
    managers = _managers(kind, meta.pop("managedFields", ()))
    if managers:
        meta["managedFields"] = managers
    kept = {key: value for key, value in obj.items() if key != "status" or kind not in _UNREAD_STATUS}
    return _shared({**kept, "metadata": meta})  # type: ignore[no-any-return]


def says_the_same(known: Object, fresh: Object) -> bool:
    """Whether two states of an object differ in nothing that a pass could act on."""
    if known.keys() != fresh.keys():
        return False
    alike = all(known[key] == fresh[key] for key in fresh if key != "metadata")
    return alike and _calm(known["metadata"]) == _calm(fresh["metadata"])


def _calm(meta: Object) -> Object:
    return {key: value for key, value in meta.items() if key not in _RESTLESS}


def _managers(kind: str, entries: Any) -> list[Any]:
    """Who else wrote what; of a Deployment also whether its `replicas` are ours."""
    if kind in _STATUS_ONLY:
        return []
    others = [entry for entry in entries if entry.get("subresource") != "status"]
    kept = [entry for entry in others if entry.get("manager") != labels.FIELD_MANAGER]
    if kind == "Deployment":
        kept += [_of_replicas(entry) for entry in others if entry.get("manager") == labels.FIELD_MANAGER]
    return kept


def _of_replicas(entry: Object) -> Object:
    """Our own entry names every leaf that we wrote: as large as the rest of the object."""
    replicas = at(entry, "fieldsV1", "f:spec", "f:replicas")
    return {**entry, "fieldsV1": {} if replicas is None else {"f:spec": {"f:replicas": replicas}}}


def _shared(value: Any) -> Any:
    """What a JSON parser made is of exact types, which are asked for first: this is done for every event of every watch."""
    kind = type(value)
    if kind is str:
        return sys.intern(value) if len(value) <= _LONGEST_SHARED else value
    if kind is dict:
        return {sys.intern(key): _shared(below) for key, below in value.items()}
    if kind is list or kind is tuple:
        return [_shared(below) for below in value]
    return _shared(dict(value)) if isinstance(value, Mapping) else value


def is_terminating(obj: Object) -> bool:
    """Whether an object is being deleted."""
    return at(obj, "metadata", "deletionTimestamp") is not None

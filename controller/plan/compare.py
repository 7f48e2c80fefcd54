"""Is an object as desired? No request is made for one that is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from controller.model import labels
from controller.model.changes import Change, FieldChange, Operation
from controller.model.objects import Object, annotation, applied_hash, at, key_of, put
from controller.model.routes import with_revision

_UNCOMPARED = ("metadata.annotations." + labels.REVISION, "metadata.annotations." + labels.APPLIED)
# Exact types first: asking for an abstract one is slow, and every leaf of every object is asked in every pass.
_MAPS = (dict, Mapping)
_LISTS = (list, tuple)
_INNER = (dict, list, tuple, Mapping)
_REPLACED_WHOLE = frozenset({"HTTPRoute", "Middleware", "SecurityPolicy"})
"""Kinds whose lists are atomic (the CRDs of Gateway API, Traefik and Envoy Gateway): an apply replaces each as a whole.

So an item too many is a difference there that an apply undoes. Elsewhere it may be somebody's right, and an apply would not
remove it: containers, volumes and variables that a webhook adds to a Deployment, ports of a Service, which merge by key.
"""
_SERVER_OWNED = ("uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "selfLink")


def compare(desired: Object, observed: Object | None, *, reason: str, guarded: bool = False) -> Change:
    """The change that makes the target's object as desired, `UNCHANGED` included.

    Unchanged means: its annotation names this very content, and every leaf that we want is there. Either alone would
    miss something: the annotation a hand edit, the leaves a field that we no longer want. Nor may there be
    more items in lists that an apply replaces. With `guarded` the write carries what was observed as its precondition,
    also that nothing was there.
    """
    key = key_of(desired)
    digest = applied_hash(desired)
    if observed is None:
        new = put(desired, digest, "metadata", "annotations", labels.APPLIED)
        return Change(Operation.CREATE, key, reason, new, resource_version="" if guarded else None)
    fields = _field_changes(desired, observed)
    if not fields and annotation(observed, labels.APPLIED) == digest:
        return Change(Operation.UNCHANGED, key, reason)
    return Change(
        Operation.UPDATE,
        key,
        reason,
        put(desired, digest, "metadata", "annotations", labels.APPLIED),
        fields,
        uid=at(observed, "metadata", "uid"),
        resource_version=at(observed, "metadata", "resourceVersion") if guarded else None,
    )


def marked(obj: Object, revision: str) -> dict[str, Any]:
    """The object saying which revision last changed it."""
    if obj["kind"] == "HTTPRoute":
        return with_revision(obj, revision)
    return put(obj, revision, "metadata", "annotations", labels.REVISION)


def stripped(observed: Object) -> dict[str, Any]:
    """An observed object as it could be applied again: without what only the server writes."""
    meta = {k: v for k, v in observed["metadata"].items() if k not in _SERVER_OWNED}
    return {**{k: v for k, v in observed.items() if k != "status"}, "metadata": meta}


def _field_changes(desired: Object, observed: Object) -> tuple[FieldChange, ...]:
    changes = []
    for path, wanted, found in _differences(desired, observed, (), exact=desired["kind"] in _REPLACED_WHOLE):
        place = ".".join(path)
        if place not in _UNCOMPARED and not _is_revision_value(desired, path):
            hidden = _is_variable(path) or _is_secret(desired, path)
            changes.append(FieldChange(place, _text(found, hidden=hidden), _text(wanted, hidden=hidden)))
    return tuple(changes)


def _differences(wanted: Any, found: Any, path: tuple[str, ...], *, exact: bool) -> Iterator[tuple[tuple[str, ...], Any, Any]]:
    """Every leaf that we want and that is not so, and with `exact` what others added to lists.

    What is equal as a whole is not walked: nearly everything, nearly always.
    """
    if not wanted or not isinstance(wanted, _INNER):
        yield path, wanted, found
        return
    for step, below in wanted.items() if isinstance(wanted, _MAPS) else enumerate(wanted):
        there = _child(found, step)
        if not _same(below, there):
            yield from _differences(below, there, (*path, str(step)), exact=exact)
    if exact:
        yield from (((*path, step), None, item) for step, item in _added(wanted, found, path))


def _added(wanted: Any, found: Any, path: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    """Items beyond ours, and in an item of ours the lists that we do not name, such as a match's `headers`.

    Maps and leaves beside ours there are the API server's defaults; it adds no list to an item that has ours.
    """
    if isinstance(found, _LISTS):
        yield from ((str(step), found[step]) for step in range(len(wanted), len(found)))
    elif isinstance(found, _MAPS) and any(step.isdigit() for step in path):
        yield from ((step, item) for step, item in found.items() if item and isinstance(item, _LISTS) and step not in wanted)


def _is_variable(path: tuple[str, ...]) -> bool:
    """The value of an environment variable: what somebody typed in by hand there may be anything."""
    return len(path) > 2 and path[-3] == "env" and path[-1] == "value"


def _is_secret(desired: Object, path: tuple[str, ...]) -> bool:
    return bool(desired["kind"] == "Secret") and path[0] in ("data", "stringData")


def _is_revision_value(desired: Object, path: tuple[str, ...]) -> bool:
    """The revision header lies in a list, so it is recognised by the name beside it."""
    if path[-1] not in ("name", "value") or "responseHeaderModifier" not in path:
        return False
    return bool(_lookup(desired, (*path[:-1], "name")) == labels.HEADER_REVISION)


def _same(wanted: Any, found: Any) -> bool:
    """An empty map or list that we want equals an absent one: the API server drops most of them."""
    return bool(wanted == found) or (found is None and wanted in ({}, [], None))


def _lookup(value: Any, path: tuple[str, ...]) -> Any:
    for step in path:
        value = _child(value, int(step) if step.isdigit() and not isinstance(value, _MAPS) else step)
    return value


def _child(value: Any, step: str | int) -> Any:
    if isinstance(value, _MAPS):
        return value.get(step)
    if isinstance(value, _LISTS) and isinstance(step, int) and step < len(value):
        return value[step]
    return None


def _text(value: Any, *, hidden: bool) -> str | None:
    if value is None:
        return None
    return "***" if hidden else str(value)

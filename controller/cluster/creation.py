"""Server-side apply that only creates, or only changes what is there, in one request. Pure.

Server-side apply has no "must not exist". But an API server compares `metadata.resourceVersion` with the object's only where
there is one (apiserver, `registry/generic/registry/store.go`, `Update`), so that a version which no object ever has
creates the object or is refused as a whole, without touching what is there. For the same reason a version says nothing
about an object that is gone: it would be made again.
"""

from __future__ import annotations

from typing import Any

from controller.model import labels
from controller.model.objects import Object, annotation, at, put

# etcd's first revision belongs to its empty store, so the oldest object of any cluster has a later one.
NEVER = "1"


def create_only(obj: Object) -> dict[str, Any]:
    """The object as it is sent, so that a server refuses it where there is one already."""
    return put(obj, NEVER, "metadata", "resourceVersion")


def is_only_ours(found: Object, sent: Object, manager: str) -> bool:
    """Whether what was found is what an earlier try of the same request made: then its answer was merely lost."""
    applied = annotation(sent, labels.APPLIED)
    entries = at(found, "metadata", "managedFields", default=())
    writers = {entry.get("manager") for entry in entries if not entry.get("subresource")}
    return applied is not None and annotation(found, labels.APPLIED) == applied and writers == {manager}

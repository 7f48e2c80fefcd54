"""Server-side apply that only creates, in one request and without touching what is there already.

Server-side apply has no "must not exist". But `metadata.deletionGracePeriodSeconds` is cleared when an object is created
(apiserver, `rest.BeforeCreate`) and may not be set on one that exists (apimachinery, `ValidateObjectMetaUpdate`: "field is
immutable; may only be changed via deletion"), so that naming it creates the object or is refused as a whole.
"""

from __future__ import annotations

from typing import Any

from controller.model import labels
from controller.model.objects import Object, annotation, at

FIELD = "deletionGracePeriodSeconds"


def create_only(obj: Object) -> dict[str, Any]:
    """The object as it is sent, so that a server refuses it where there is one already."""
    metadata = {name: value for name, value in obj["metadata"].items() if name != "resourceVersion"}
    return {**obj, "metadata": {**metadata, FIELD: 0}}


def is_only_ours(found: Object, sent: Object, manager: str) -> bool:
    """Whether what was found is what an earlier try of the same request made: then its answer was merely lost."""
    applied = annotation(sent, labels.APPLIED)
    entries = at(found, "metadata", "managedFields", default=())
    writers = {entry.get("manager") for entry in entries if not entry.get("subresource")}
    return applied is not None and annotation(found, labels.APPLIED) == applied and writers == {manager}

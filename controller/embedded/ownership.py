"""Server-side apply of one object: what it becomes, and who owns which of its fields afterwards. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from controller.embedded.merge import FieldSet, field_set, merge, overwritten, plain, prune, subtract, union
from controller.embedded.topology import topology_of
from controller.model.objects import Object, at

# What the server writes itself: whatever a configuration says here is ignored, as by an API server.
_SERVER_FIELDS = frozenset({"apiVersion", "kind", "status", "metadata"})
_SERVER_METADATA = frozenset(
    {"name", "namespace", "uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp", "managedFields"}
)


def body_of(obj: Object) -> dict[str, Any]:
    """The part of an object that managers own: all but identity, status and what the server keeps in the metadata."""
    body = {name: value for name, value in obj.items() if name not in _SERVER_FIELDS}
    metadata = {name: value for name, value in obj["metadata"].items() if name not in _SERVER_METADATA}
    return {"metadata": metadata, **body} if metadata else body


def with_body(obj: Object, body: Object) -> dict[str, Any]:
    """`obj` with another body; identity, status and the server's metadata stay."""
    kept = {name: value for name, value in obj["metadata"].items() if name in _SERVER_METADATA}
    metadata = {**kept, **body.get("metadata", {})}
    status = {"status": obj["status"]} if "status" in obj else {}
    return {"apiVersion": obj["apiVersion"], "kind": obj["kind"], **body, "metadata": metadata, **status}


def applied(live: Object | None, config: Object, manager: str, time: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The body after `manager` applied `config` with force, and the new `managedFields`.

    Entries that own the same as before keep their time, so that applying the same twice gives the same twice.
    """
    topology = topology_of(config["kind"])
    body, wanted = body_of(live) if live else {}, plain(body_of(config))
    entries = at(live or {}, "metadata", "managedFields", default=[])
    owned = {entry["manager"]: entry["fieldsV1"] for entry in entries}
    fields = field_set(wanted, topology)
    merged = merge(body, wanted, topology)
    lost = overwritten(body, merged, fields, topology)
    others = {name: subtract(theirs, lost) if lost else theirs for name, theirs in owned.items() if name != manager}
    pruned = prune(merged, owned.get(manager, {}), union([fields, *others.values()]), topology)
    return pruned, _entries(entries, {**others, manager: fields}, config["apiVersion"], time)


def _entries(old: list[dict[str, Any]], owned: Mapping[str, FieldSet], version: str, time: str) -> list[dict[str, Any]]:
    before = {entry["manager"]: entry for entry in old}
    return [
        before[name] if name in before and before[name]["fieldsV1"] == fields else _entry(name, fields, version, time)
        for name, fields in sorted(owned.items())
        if fields
    ]


def _entry(manager: str, fields: FieldSet, version: str, time: str) -> dict[str, Any]:
    return {
        "manager": manager,
        "operation": "Apply",
        "apiVersion": version,
        "time": time,
        "fieldsType": "FieldsV1",
        "fieldsV1": fields,
    }

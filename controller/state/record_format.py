"""A unit record as a ConfigMap and back: JSON, gzipped when large, refused when it could not be stored."""

from __future__ import annotations

import base64
import gzip
import json
import zlib
from typing import Any

from controller.model import labels
from controller.model.conditions import Condition
from controller.model.errors import Stalled
from controller.model.identity import ObjectKey, UnitKey
from controller.model.objects import Object, at
from controller.model.record import Fact, FactKind, UnitRecord

FORMAT = 1
COMPRESS_ABOVE = 256 * 1024
REFUSE_ABOVE = 900 * 1024
"""etcd refuses objects above 1.5 MiB and the API server ConfigMaps above 1 MiB of data."""


def to_config_map(record: UnitRecord) -> dict[str, Any]:
    """The object to apply. Raises Stalled, before anything is written, for a record that would not fit."""
    text = json.dumps(_document(record), sort_keys=True, separators=(",", ":"))
    data: dict[str, Any] = {"data": {"record.json": text}}
    if len(text) > COMPRESS_ABOVE:
        packed = base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()
        if len(packed) > REFUSE_ABOVE:
            raise Stalled(
                f"the record of {record.unit} would have {len(packed) // 1024} KiB, more than a ConfigMap holds",
                hint="retire versions, or split the deployment",
            )
        data = {"binaryData": {"record.json.gz": packed}}
    meta: dict[str, Any] = {
        "name": record.unit.record_name,
        "namespace": record.namespace or record.unit.namespace,
        "labels": {labels.MANAGED_BY: "pointsman", labels.UNIT: record.unit.hash, labels.RECORD: "unit"},
        "annotations": {labels.UNIT_NAME: str(record.unit)},
        "resourceVersion": record.resource_version or "",
    }
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, **data}


def from_config_map(obj: Object) -> UnitRecord:
    """The record in a ConfigMap. Raises Stalled for one that this version of the program cannot read."""
    try:
        text = at(obj, "data", "record.json")
        if text is None:
            text = gzip.decompress(base64.b64decode(at(obj, "binaryData", "record.json.gz"))).decode()
        return _record(json.loads(text), obj["metadata"])
    except (ValueError, TypeError, KeyError, AttributeError, EOFError, OSError, zlib.error) as error:
        name = f"{obj['metadata'].get('namespace')}/{obj['metadata'].get('name')}"
        raise Stalled(
            f"the record in ConfigMap {name} cannot be read: {error}",
            hint="delete it only after reading docs/reference/record.md, section `A lost record`",
        ) from error


def _document(record: UnitRecord) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "unit": str(record.unit),
        "source": record.source,
        "attempted": record.attempted,
        "applied": record.applied,
        "inventory": sorted(str(key) for key in record.inventory),
        "resolved": {"bases": dict(record.bases)},
        "facts": [[f.kind.value, f.subject, f.input, f.revision, f.at, f.detail] for f in record.facts],
        "conditions": [[c.type, c.status, c.reason, c.message, c.since] for c in record.conditions],
    }


def _record(document: dict[str, Any], meta: Object) -> UnitRecord:
    if document["format"] != FORMAT:
        raise ValueError(f"it has format {document['format']}, this program reads {FORMAT}")
    return UnitRecord(
        unit=UnitKey.parse(document["unit"]),
        inventory=frozenset(ObjectKey.parse(key) for key in document["inventory"]),
        bases=document["resolved"]["bases"],
        facts=tuple(Fact(FactKind(kind), *rest) for kind, *rest in document["facts"]),
        conditions=tuple(Condition(*item) for item in document["conditions"]),
        attempted=document["attempted"],
        applied=document["applied"],
        source=document["source"],
        resource_version=meta["resourceVersion"],
        namespace=meta.get("namespace", ""),
    )

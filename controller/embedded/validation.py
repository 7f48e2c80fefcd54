"""What an API server checks before it stores an object, as far as Pointsman's objects need it. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from controller.model.errors import Stalled
from controller.model.identity import ObjectKey
from controller.model.objects import API_VERSIONS, Object, key_of

# etcd's limit for one value, which every API server inherits.
LARGEST_OBJECT = 3 * 1024 * 1024 // 2

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_LABEL_TEXT = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
_DNS_LABEL_KINDS = frozenset({"Namespace", "Service"})


def check_kind(kind: str) -> None:
    """Raises `Stalled` for a kind that this cluster does not have."""
    if kind not in API_VERSIONS:
        raise Stalled(f"the embedded cluster has no kind {kind!r}", hint=f"it has {', '.join(API_VERSIONS)}")


def check_object(obj: Object) -> ObjectKey:
    """The object's key. Raises `Stalled` with the field that is wrong."""
    check_kind(str(obj.get("kind")))
    if obj.get("apiVersion") != API_VERSIONS[obj["kind"]]:
        raise Stalled(f"{obj['kind']} has apiVersion {API_VERSIONS[obj['kind']]}, not {obj.get('apiVersion')!r}")
    metadata = obj.get("metadata")
    if not isinstance(metadata, Mapping) or not isinstance(metadata.get("name"), str):
        raise Stalled(f"{obj['kind']} has no metadata.name")
    _check_names(obj["kind"], metadata["name"], metadata.get("namespace", ""))
    key = key_of(obj)
    _check_labels(key, metadata.get("labels") or {})
    _check_texts(key, "annotations", metadata.get("annotations") or {})
    if metadata.get("finalizers"):
        raise Stalled(f"{key}: the embedded cluster runs no finalizers")
    return key


def check_size(key: ObjectKey, size: int) -> None:
    """Raises `Stalled` for an object of more bytes than an API server would store."""
    if size > LARGEST_OBJECT:
        raise Stalled(f"{key} has {size} bytes, the limit is {LARGEST_OBJECT}")


def _check_names(kind: str, name: str, namespace: Any) -> None:
    pattern = _LABEL if kind in _DNS_LABEL_KINDS else _SUBDOMAIN
    if len(name) > 253 or not pattern.fullmatch(name):
        raise Stalled(f"{kind} has a name that is not a DNS name: {name[:80]!r}")
    if kind == "Namespace":
        if namespace:
            raise Stalled(f"Namespace {name} lies in no namespace, but names {namespace!r}")
    elif not isinstance(namespace, str) or not _LABEL.fullmatch(namespace):
        raise Stalled(f"{kind} {name} has a namespace that is not a DNS label: {namespace!r}")


def _check_labels(key: ObjectKey, labels: Any) -> None:
    _check_texts(key, "labels", labels)
    for name, value in labels.items():
        if not _LABEL_TEXT.fullmatch(value) or not _LABEL_TEXT.fullmatch(name.rpartition("/")[2]):
            raise Stalled(f"{key}: label {name[:80]!r} or its value {value[:80]!r} is not a label's text")


def _check_texts(key: ObjectKey, field: str, values: Any) -> None:
    if not isinstance(values, Mapping) or not all(isinstance(v, str) for item in values.items() for v in item):
        raise Stalled(f"{key}: metadata.{field} must map text to text")

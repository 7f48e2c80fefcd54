"""Documents of base images, which strangers write: what is read of them has the shape that the specification gives it.

Facts: https://github.com/opencontainers/image-spec/blob/v1.1.0/config.md, manifest.md and image-index.md there. What is
absent, or null as some tools write it, is no mistake.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from controller.images.registry.reference import Reference
from controller.model.errors import Stalled

_Shape = Callable[[object], bool]


def _text(value: object) -> bool:
    return isinstance(value, str)


def _map(value: object) -> bool:
    return isinstance(value, dict)


def _texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _maps(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, dict) for item in value)


_MANIFEST: Mapping[str, _Shape] = {"config": _map, "layers": _maps, "manifests": _maps}
_ENTRY: Mapping[str, _Shape] = {"platform": _map}
_CONFIGURATION: Mapping[str, _Shape] = {"config": _map, "rootfs": _map, "history": _maps}
_ROOTFS: Mapping[str, _Shape] = {"diff_ids": _texts}
_RUN: Mapping[str, _Shape] = {"Env": _texts, "User": _text, "ExposedPorts": _map}


def require_manifest(document: Mapping[str, Any], reference: Reference) -> None:
    """Raise `Stalled` for a manifest or an index of another shape."""
    _require(document, _MANIFEST, reference)
    for entry in document.get("manifests") or ():
        _require(entry, _ENTRY, reference)


def require_configuration(document: Mapping[str, Any], reference: Reference) -> None:
    """Raise `Stalled` for a configuration of another shape."""
    _require(document, _CONFIGURATION, reference)
    _require(document.get("rootfs") or {}, _ROOTFS, reference)
    _require(document.get("config") or {}, _RUN, reference)


def _require(document: Mapping[str, Any], shapes: Mapping[str, _Shape], reference: Reference) -> None:
    for key, fits in shapes.items():
        value = document.get(key)
        if value is not None and not fits(value):
            hint = "push it again with a current tool"
            raise Stalled(f"the base image {reference} is malformed: its `{key}` is not what it has to be", hint=hint)

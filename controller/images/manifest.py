"""The documents that make layers an image: configuration and manifest, as the OCI image specification has them.

Facts: https://github.com/opencontainers/image-spec/blob/v1.1.0/config.md, manifest.md and annotations.md there.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import controller
from controller.images.dependencies import PACKAGES
from controller.images.host import HOST
from controller.images.layers import CREATED, Layer, LayerKind
from controller.images.layout import MANIFEST_TYPE
from controller.model.images import CODE_DIRECTORY, ImageSpec
from controller.model.labels import PREFIX

CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
LAYER_KIND = f"{PREFIX}layer"
LAYER_SOURCE = f"{PREFIX}content"
WARNINGS = f"{PREFIX}warnings"
NEVER_PUSH = f"{PREFIX}never-push"
_BASE_NAME = "org.opencontainers.image.base.name"
_BASE_DIGEST = "org.opencontainers.image.base.digest"


def configuration(spec: ImageSpec, layers: Sequence[Layer]) -> dict[str, Any]:
    """How a container of this image runs. It has no entrypoint, so that the command is what it says."""
    os, _, architecture = spec.platform.partition("/")
    environment = [f"PYTHONPATH={PACKAGES}"] if any(x.kind is LayerKind.DEPENDENCIES for x in layers) else []
    return {
        "created": CREATED,
        "os": os,
        "architecture": architecture,
        "config": {
            "Cmd": ["sh", "-c", spec.command],
            "Env": environment,
            "ExposedPorts": {f"{spec.port}/tcp": {}},
            "WorkingDir": CODE_DIRECTORY,
        },
        "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in layers]},
        "history": [{"created": CREATED, "created_by": f"pointsman: {layer.kind}"} for layer in layers],
    }


def manifest(spec: ImageSpec, config: tuple[str, int], layers: Sequence[Layer]) -> dict[str, Any]:
    """The image's own document; `config` is the configuration's digest and size."""
    return {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": {"mediaType": CONFIG_TYPE, "digest": config[0], "size": config[1]},
        "layers": [_descriptor(layer) for layer in layers],
        "annotations": _annotations(spec, layers),
    }


def warnings_of(document: dict[str, Any]) -> tuple[str, ...]:
    """What the build had to say beside success."""
    return tuple(json.loads(document["annotations"].get(WARNINGS, "[]")))


def base_digest_of(document: dict[str, Any]) -> str:
    """The digest of the base when the image was built; empty for the host."""
    return str(document["annotations"].get(_BASE_DIGEST, ""))


def blobs_of(document: dict[str, Any]) -> list[tuple[str, int]]:
    """Digest and size of everything that a manifest names."""
    return [(item["digest"], item["size"]) for item in (document["config"], *document["layers"])]


def _descriptor(layer: Layer) -> dict[str, Any]:
    annotations = {LAYER_KIND: str(layer.kind)} | ({LAYER_SOURCE: f"sha256:{layer.source}"} if layer.source else {})
    return {"mediaType": layer.media_type, "digest": layer.digest, "size": layer.size, "annotations": annotations}


def _annotations(spec: ImageSpec, layers: Sequence[Layer]) -> dict[str, str]:
    warnings = [warning for layer in layers for warning in layer.warnings]
    distributions = [name for layer in layers for name in layer.distributions]
    return {
        _BASE_NAME: spec.base,
        f"{PREFIX}builder": controller.__version__,
        f"{PREFIX}distributions": " ".join(distributions),
        f"{PREFIX}key": spec.key,
        **({WARNINGS: json.dumps(warnings)} if warnings else {}),
        **({NEVER_PUSH: "its base is this machine's Python"} if spec.base.startswith(HOST) else {}),
    }

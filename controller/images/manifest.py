"""The documents that make layers an image: configuration and manifest, as the OCI image specification has them.

Facts: https://github.com/opencontainers/image-spec/blob/v1.1.0/config.md, manifest.md and annotations.md there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import controller
from controller.images.archive import CREATED
from controller.images.base import Base
from controller.images.dependencies import PACKAGES
from controller.images.host import HOST
from controller.images.layers import Layer, LayerKind
from controller.images.layout import MANIFEST_TYPE
from controller.model.images import CODE_DIRECTORY, ImageSpec
from controller.model.labels import PREFIX

CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
LAYER_KIND = f"{PREFIX}layer"
LAYER_SOURCE = f"{PREFIX}content"
LAYER_INPUT = f"{PREFIX}input"
WARNINGS = f"{PREFIX}warnings"
NEVER_PUSH = f"{PREFIX}never-push"
USER = f"{PREFIX}user"
_KEY = f"{PREFIX}key"
_NO_BASE = Base()
_KEPT = ("os", "architecture", "variant", "os.version", "os.features", "author")
_DROPPED = ("Entrypoint", "Cmd", "Hostname", "Domainname", "Image", "OnBuild", "ArgsEscaped", "AttachStdin", "AttachStdout")
_BASE_NAME = "org.opencontainers.image.base.name"
_BASE_DIGEST = "org.opencontainers.image.base.digest"


def configuration(spec: ImageSpec, layers: Sequence[Layer], base: Base = _NO_BASE) -> dict[str, Any]:
    """How a container of this image runs. It has no entrypoint, so that the command is what it says.

    What the base says stays, but for its command and the traces of its own build.
    """
    os, _, architecture = spec.platform.partition("/")
    below = base.configuration
    kept = {name: below[name] for name in _KEPT if name in below}
    diff_ids = [*below.get("rootfs", {}).get("diff_ids", ()), *(layer.diff_id for layer in layers)]
    history = [{"created": CREATED, "created_by": f"pointsman: {layer.kind}"} for layer in layers]
    return {
        "os": os,
        "architecture": architecture,
        **kept,
        "created": CREATED,
        "config": _run(spec, layers, base),
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
        "history": [*(below.get("history") or ()), *history],
    }


def _run(spec: ImageSpec, layers: Sequence[Layer], base: Base) -> dict[str, Any]:
    environment = base.environment
    if any(layer.kind is LayerKind.DEPENDENCIES for layer in layers):
        environment["PYTHONPATH"] = ":".join(filter(None, (PACKAGES, environment.get("PYTHONPATH"))))
    return {
        **{name: value for name, value in base.run.items() if name not in _DROPPED},
        **({"Entrypoint": None} if base.digest else {}),
        "Cmd": ["sh", "-c", spec.command],
        "Env": [f"{name}={value}" for name, value in environment.items()],
        "ExposedPorts": {**(base.run.get("ExposedPorts") or {}), f"{spec.port}/tcp": {}},
        "WorkingDir": CODE_DIRECTORY,
    }


def manifest(spec: ImageSpec, config: tuple[str, int], layers: Sequence[Layer], base: Base = _NO_BASE) -> dict[str, Any]:
    """The image's own document; `config` is the configuration's digest and size."""
    return {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": {"mediaType": CONFIG_TYPE, "digest": config[0], "size": config[1]},
        "layers": [*base.layers, *(_descriptor(layer) for layer in layers)],
        "annotations": image_annotations(spec, layers, base),
    }


def is_told(document: Mapping[str, Any]) -> bool:
    """Whether a manifest says what image it is: what a Docker Engine has pushed does not, until its builder has told."""
    return _KEY in (document.get("annotations") or {})


def warnings_of(document: dict[str, Any]) -> tuple[str, ...]:
    """What the build had to say beside success."""
    return warnings_in(document.get("annotations", {}))


def warnings_in(said: Mapping[str, str]) -> tuple[str, ...]:
    """The same from annotations or labels alone."""
    return tuple(json.loads(said.get(WARNINGS, "[]")))


def base_digest_of(document: dict[str, Any]) -> str:
    """The digest of the base when the image was built; empty for the host."""
    return base_digest_in(document.get("annotations", {}))


def base_digest_in(said: Mapping[str, str]) -> str:
    """The same from annotations or labels alone."""
    return str(said.get(_BASE_DIGEST, ""))


def user_of(document: dict[str, Any]) -> str:
    """Who the image's processes run as, as its base says."""
    return str(document.get("annotations", {}).get(USER, "root"))


def blobs_of(document: dict[str, Any]) -> list[tuple[str, int]]:
    """Digest and size of everything that a manifest names."""
    return [(item["digest"], item["size"]) for item in (document["config"], *document["layers"])]


def file_layers(document: dict[str, Any]) -> dict[str, Layer]:
    """The layers of declared files by the hash of what they were made of."""
    layers = [_file_layer(item, item.get("annotations") or {}) for item in document.get("layers", ())]
    return {layer.input: layer for layer in layers if layer is not None}


def _file_layer(item: dict[str, Any], notes: dict[str, str]) -> Layer | None:
    if LAYER_INPUT not in notes:
        return None
    digest, source = str(item["digest"]), notes.get(LAYER_SOURCE, "").removeprefix("sha256:")
    return Layer(LayerKind.FILE, digest, digest, int(item["size"]), source=source, input=notes[LAYER_INPUT])


def _descriptor(layer: Layer) -> dict[str, Any]:
    annotations = {LAYER_KIND: str(layer.kind)}
    if layer.source:
        annotations[LAYER_SOURCE] = f"sha256:{layer.source}"
    if layer.kind is LayerKind.FILE:
        annotations[LAYER_INPUT] = layer.input
    return {"mediaType": layer.media_type, "digest": layer.digest, "size": layer.size, "annotations": annotations}


def image_annotations(spec: ImageSpec, layers: Sequence[Layer], base: Base) -> dict[str, str]:
    """What an image says of itself: in its manifest, or as labels where there is none."""
    warnings = [*base.warnings, *(warning for layer in layers for warning in layer.warnings)]
    distributions = [name for layer in layers for name in layer.distributions]
    return {
        _BASE_NAME: spec.base,
        **({_BASE_DIGEST: base.digest, USER: base.user} if base.digest else {}),
        f"{PREFIX}builder": controller.__version__,
        f"{PREFIX}distributions": " ".join(distributions),
        _KEY: spec.key,
        **({WARNINGS: json.dumps(warnings)} if warnings else {}),
        **({NEVER_PUSH: "its base is this machine's Python"} if spec.base.startswith(HOST) else {}),
    }

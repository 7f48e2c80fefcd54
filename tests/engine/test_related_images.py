"""A new version with a file that an older one has: a controller on an empty disk neither fetches nor reads that file."""

from __future__ import annotations

import hashlib
from pathlib import Path

import httpx2
import pytest

from bench.declared_repository import Shape
from tests.engine.registry_target import BASE, PROJECT, building, new_process, references, release
from tests.engine.settling import settling
from tests.images.base_images import MANIFEST, push_base
from tests.images.https_server import Server, https_server
from tests.images.registry_server import Registry, running_registry

pytestmark = pytest.mark.contract

MODEL = b"weights" * 100_000
VALOHAI = f"""\
- endpoint:
    name: predict
    image: {BASE}
    server-command: python serve.py
    files:
      - {{name: model, path: model.bin}}
"""


def with_model(server: Server, version: str, data: bytes = MODEL) -> dict[str, str]:
    """The files of a version whose model comes from the server."""
    source = f"{{url: {server.url}/model.bin, sha256: {hashlib.sha256(data).hexdigest()}}}"
    return {"valohai.yaml": VALOHAI, f"pointsman/versions/{version}.yaml": f"files: {{predict: {{model: {source}}}}}\n"}


def model_layers(registry: Registry, images: set[str]) -> set[str]:
    """The digests of the layers with the model, of all these images."""
    found = set()
    for image in images:
        url = f"{registry.url}/v2/{PROJECT}/manifests/{image.partition('@')[2]}"
        layers = httpx2.get(url, headers={"accept": MANIFEST}).json()["layers"]
        found |= {layer["digest"] for layer in layers if layer.get("annotations", {}).get("pointsman.dev/layer") == "file"}
    return found


def test_file_of_an_older_version_is_not_fetched_on_an_empty_disk(tmp_path: Path) -> None:
    (tmp_path / "tls").mkdir()
    with (
        running_registry(tmp_path / "registry") as registry,
        https_server(tmp_path / "tls", MODEL) as server,
        building(registry, tmp_path / "cache", verify=server.trust) as changed,
        settling(tmp_path / "unit", Shape(1, 1), changed) as made,
    ):
        push_base(registry.url)
        release(made, "second", with_model(server, "second"))
        made.settle()
        assert len(server.behaviour.seen) == 1
        with new_process(made, registry, tmp_path / "new", verify=server.trust) as again:
            release(again, "third", with_model(server, "third"))
            again.settle()
        images = set(references(made).values())
        assert len(images) == 3
        assert len(model_layers(registry, images)) == 1
        assert len(server.behaviour.seen) == 1
        assert not list((tmp_path / "new" / "blobs").glob("*/*"))

"""What lies in a registry, read by plain requests, and builders that push there."""

from __future__ import annotations

import gzip
import tarfile
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx2
from base_images import MANIFEST, digest_of
from image_examples import CODE, MemoryCode, spec_of
from registry_server import Registry

from controller.images.registry.builder import RegistryBuilder
from controller.images.registry.client import RegistryClient
from controller.model.errors import PointsmanError
from controller.model.images import Image, ImageSpec

PROJECT = "pointsman/ruksi/mnist"
Entry = tuple[str, int, tuple[int, int], "bytes | str"]


def builder_for(registry: Registry, cache: Path, **options: Any) -> RegistryBuilder:
    """A builder that pushes below `pointsman`, and finds Docker Hub's images in the same registry."""
    options.setdefault("mirrors", {"docker.io": registry.url})
    return RegistryBuilder(f"{registry.url}/pointsman", f"{registry.address}/pointsman", cache, **options)


def spec_for(registry: Registry, code: MemoryCode = CODE, **changes: Any) -> ImageSpec:
    return spec_of(code, **{"repository": f"{registry.address}/{PROJECT}", "base": "python:3.11", **changes})


def manifest_at(registry: Registry, image: Image, repository: str = PROJECT) -> dict[str, Any]:
    answer = httpx2.get(f"{registry.url}/v2/{repository}/manifests/{image.digest}", headers={"accept": MANIFEST})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def blob_at(registry: Registry, digest: str, repository: str = PROJECT) -> bytes:
    answer = httpx2.get(f"{registry.url}/v2/{repository}/blobs/{digest}")
    assert answer.status_code == 200, answer.text
    return answer.content


def broken_blobs(client: RegistryClient, repository: str, tag: str) -> list[str]:
    """The blobs of a tag's image that cannot be read whole, or have other bytes than their digest says."""
    found = client.manifest(repository, tag)
    assert found is not None, f"there is no {repository}:{tag}"
    described = [found.document["config"], *found.document["layers"]]
    return [item["digest"] for item in described if not _is_whole(client, repository, item)]


def _is_whole(client: RegistryClient, repository: str, item: dict[str, Any]) -> bool:
    try:
        with client.reading(repository, item["digest"]) as blocks:
            data = b"".join(blocks)
    except PointsmanError:
        return False
    return (digest_of(data), len(data)) == (item["digest"], item["size"])


def config_at(registry: Registry, image: Image) -> dict[str, Any]:
    digest = manifest_at(registry, image)["config"]["digest"]
    return dict(httpx2.get(f"{registry.url}/v2/{PROJECT}/blobs/{digest}").json())


def tree_at(registry: Registry, image: Image) -> dict[str, Entry]:
    """Every entry of the image, layer over layer: kind, mode, owner, and bytes or link."""
    layers = manifest_at(registry, image)["layers"]
    return unpacked([(blob_at(registry, layer["digest"]), layer["mediaType"]) for layer in layers])


def unpacked(layers: list[tuple[bytes, str]]) -> dict[str, Entry]:
    found: dict[str, Entry] = {}
    for blob, media_type in layers:
        data = gzip.decompress(blob) if media_type.endswith("gzip") else blob
        with tarfile.open(fileobj=BytesIO(data)) as archive:
            for member in archive:
                file = archive.extractfile(member) if member.isreg() else None
                content = file.read() if file else member.linkname
                found[member.name] = (str(member.type), member.mode, (member.uid, member.gid), content)
    return found

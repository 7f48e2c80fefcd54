"""Declared files on their way to a registry: never a second time on the disk, and read only by whoever needs their bytes."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from faulty_proxy import running_proxy
from https_server import Server, https_server
from image_examples import CODE, MemoryCode, silent
from registry_images import PROJECT, blob_at, builder_for, manifest_at, spec_for, tree_at
from registry_server import Registry

from controller.images.files import cached
from controller.images.layout import Layout
from controller.images.registry.builder import RegistryBuilder
from controller.model.declared import FileContent
from controller.model.errors import Stalled, Transient
from controller.model.images import Image, ImageSpec

pytestmark = pytest.mark.contract

MODEL = os.urandom(1 << 10) * 3000
SHA256 = hashlib.sha256(MODEL).hexdigest()
NOWHERE = f"sha256:{'0' * 64}"
OTHER_CODE = MemoryCode({**CODE.files, "serve.py": b"print('other')\n"}, CODE.modes)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with https_server(tmp_path, MODEL) as running:
        yield running


@pytest.fixture
def builder(registry: Registry, server: Server, tmp_path: Path) -> Iterator[RegistryBuilder]:
    with builder_for(registry, tmp_path / "cache", verify=server.trust) as made:
        yield made


def spec_with_model(registry: Registry, server: Server, code: MemoryCode = CODE, **changes: Any) -> ImageSpec:
    declared = FileContent(url=f"{server.url}/net.bin", sha256=SHA256)
    return spec_for(registry, code, files={"models/net.bin": declared}, **changes)


def model_layer(registry: Registry, image: Image) -> str:
    return str(manifest_at(registry, image)["layers"][-2]["digest"])


def test_file_is_kept_once_and_pushed_whole(
    registry: Registry, server: Server, builder: RegistryBuilder, tmp_path: Path
) -> None:
    image = builder.build(spec_with_model(registry, server), CODE, silent)
    assert tree_at(registry, image)["valohai/code/models/net.bin"][3] == MODEL
    layout = Layout(tmp_path / "cache" / "layout")
    assert cached(tmp_path / "cache", SHA256).exists()
    assert not layout.blob(model_layer(registry, image)).exists()
    assert sum(path.stat().st_size for path in layout.root.rglob("*") if path.is_file()) < len(MODEL)


def test_file_whose_layer_is_in_the_registry_is_neither_fetched_nor_read(
    registry: Registry, server: Server, builder: RegistryBuilder, tmp_path: Path
) -> None:
    first = builder.build(spec_with_model(registry, server), CODE, silent)
    cached(tmp_path / "cache", SHA256).unlink()
    second = builder.build(spec_with_model(registry, server, OTHER_CODE), OTHER_CODE, silent)
    assert model_layer(registry, first) == model_layer(registry, second)
    assert len(server.behaviour.seen) == 1


def test_file_that_the_registry_lost_is_fetched_again(
    registry: Registry, server: Server, builder: RegistryBuilder, tmp_path: Path
) -> None:
    layer = model_layer(registry, builder.build(spec_with_model(registry, server), CODE, silent))
    cached(tmp_path / "cache", SHA256).unlink()
    httpx2.delete(f"{registry.url}/v2/{PROJECT}/blobs/{layer}")
    registry.blob(layer).unlink()
    builder.build(spec_with_model(registry, server, OTHER_CODE), OTHER_CODE, silent)
    assert hashlib.sha256(blob_at(registry, layer)).hexdigest() == layer.removeprefix("sha256:")
    assert len(server.behaviour.seen) == 2


def test_file_that_was_damaged_on_the_disk_is_never_pushed(
    registry: Registry, server: Server, builder: RegistryBuilder, tmp_path: Path
) -> None:
    image = builder.build(spec_with_model(registry, server), CODE, silent)
    kept = cached(tmp_path / "cache", SHA256)
    kept.chmod(0o644)
    kept.write_bytes(bytes(len(MODEL)))
    elsewhere = spec_with_model(registry, server, repository=f"{registry.address}/pointsman/ruksi/other")
    with pytest.raises(Transient, match="damaged on the disk"):
        builder.build(elsewhere, CODE, silent)
    assert registry.tags("pointsman/ruksi/other") == []
    assert builder.build(elsewhere, CODE, silent).digest == image.digest


def test_file_of_another_size_on_the_disk_is_fetched_again(
    registry: Registry, server: Server, builder: RegistryBuilder, tmp_path: Path
) -> None:
    image = builder.build(spec_with_model(registry, server), CODE, silent)
    kept = cached(tmp_path / "cache", SHA256)
    kept.chmod(0o644)
    kept.write_bytes(MODEL[:1000])
    elsewhere = spec_with_model(registry, server, repository=f"{registry.address}/pointsman/ruksi/other")
    with pytest.raises((Transient, Stalled)):
        builder.build(elsewhere, CODE, silent)
    assert builder.build(elsewhere, CODE, silent).digest == image.digest


def test_what_cleaning_leaves_is_enough_for_a_build_without_the_file(
    registry: Registry, server: Server, builder: RegistryBuilder, tmp_path: Path
) -> None:
    builder.build(spec_with_model(registry, server), CODE, silent)
    long_ago = time.time() - 3600
    os.utime(cached(tmp_path / "cache", SHA256), (long_ago, long_ago))
    builder.clean(time.time() - 1800)
    assert not cached(tmp_path / "cache", SHA256).exists()
    assert builder.build(spec_with_model(registry, server, OTHER_CODE), OTHER_CODE, silent)
    assert len(server.behaviour.seen) == 1
    builder.clean(time.time() + 60)
    assert not list((tmp_path / "cache" / "layers").rglob("*.json")), "what is not used goes in the end"


def test_fresh_builder_takes_the_layer_of_a_related_image(
    registry: Registry, server: Server, builder: RegistryBuilder, tmp_path: Path
) -> None:
    first = builder.build(spec_with_model(registry, server), CODE, silent)
    with builder_for(registry, tmp_path / "fresh", verify=server.trust) as fresh:
        spec = spec_with_model(registry, server, OTHER_CODE, related=(NOWHERE, first.digest))
        second = fresh.build(spec, OTHER_CODE, silent)
    assert model_layer(registry, first) == model_layer(registry, second)
    assert len(server.behaviour.seen) == 1


def test_related_image_without_the_file_is_of_no_use(
    registry: Registry, server: Server, builder: RegistryBuilder, tmp_path: Path
) -> None:
    declared = FileContent(url=f"{server.url}/net.bin", sha256=SHA256)
    elsewhere = builder.build(spec_for(registry, files={"another/path.bin": declared}), CODE, silent)
    with builder_for(registry, tmp_path / "fresh", verify=server.trust) as fresh:
        image = fresh.build(spec_with_model(registry, server, related=(elsewhere.digest,)), CODE, silent)
    assert tree_at(registry, image)["valohai/code/models/net.bin"][3] == MODEL
    assert len(server.behaviour.seen) == 2


def test_layer_of_a_related_image_that_is_lost_is_made_anew(
    registry: Registry, server: Server, builder: RegistryBuilder, tmp_path: Path
) -> None:
    first = builder.build(spec_with_model(registry, server), CODE, silent)
    layer = model_layer(registry, first)
    httpx2.delete(f"{registry.url}/v2/{PROJECT}/blobs/{layer}")
    registry.blob(layer).unlink()
    with builder_for(registry, tmp_path / "fresh", verify=server.trust) as fresh:
        fresh.build(spec_with_model(registry, server, OTHER_CODE, related=(first.digest,)), OTHER_CODE, silent)
    assert hashlib.sha256(blob_at(registry, layer)).hexdigest() == layer.removeprefix("sha256:")
    assert len(server.behaviour.seen) == 2


def test_code_change_costs_eight_requests(registry: Registry, tmp_path: Path) -> None:
    with running_proxy(registry.address) as proxy:
        address = proxy.url.removeprefix("http://")
        repository = f"{address}/pointsman/ruksi/mnist"
        with RegistryBuilder(
            f"{proxy.url}/pointsman", f"{address}/pointsman", tmp_path / "cache", mirrors={"docker.io": proxy.url}
        ) as builder:
            first = builder.build(spec_for(registry, repository=repository), CODE, silent)
            proxy.seen.clear()
            spec = spec_for(registry, OTHER_CODE, repository=repository, base_digest=first.base_digest)
            builder.build(spec, OTHER_CODE, silent)
    methods = [method for method, _ in proxy.seen]
    assert (methods[0], methods[-3:]) == ("HEAD", ["PUT", "PUT", "HEAD"])
    assert sorted(methods[1:-3]) == ["POST", "POST", "PUT", "PUT"], "the code and the configuration"

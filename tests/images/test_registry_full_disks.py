"""Full disks, of the builder and of the registry: no tag, words that say what to do, and the next try finishes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from base_images import push_base
from image_examples import CODE, in_code, silent
from registry_images import PROJECT, broken_blobs, builder_for, spec_for
from registry_server import Registry, running_registry
from small_disk import enlarge, on_small_disk

from controller.images.registry.auth import Credentials
from controller.images.registry.client import RegistryClient
from controller.images.registry.reference import parse_location
from controller.images.registry.session import Session
from controller.model.errors import Unavailable

pytestmark = pytest.mark.faults

PUSH = Path(__file__).with_name("push_once.py")


@pytest.mark.parametrize("size", [8, 12, 16, 24])
def test_full_disk_of_a_builder(registry: Registry, tmp_path: Path, size: int) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    build = [sys.executable, str(PUSH), registry.address, str(cache), "project"]
    watch = ["sh", "-c", f"ls {registry.storage}/docker/registry/v2/repositories/project/_manifests/tags >&2; true"]
    command = on_small_disk(cache, size, build, watch, build)
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    failed, tags, *more = done.stderr.splitlines()
    assert failed.startswith("Transient: the image cannot be put on the disk:"), done.stderr
    assert "No space left on device" in failed
    assert "cannot access" in tags, "there is no tag after the first try"
    assert not more
    require_whole(registry, "project", done.stdout.split()[0])


@pytest.mark.parametrize("size", [64, 700, 1304, 1324])
def test_full_disk_of_a_registry(tmp_path: Path, size: int) -> None:
    with running_registry(tmp_path, within=lambda storage, command: on_small_disk(storage, size, command)) as running:
        push_base(running.url)
        inside = Registry(running.address, Path(f"/proc/{running.process.pid}/root{running.storage}"), running.process)
        spec = spec_for(inside, files={"m.bin": in_code("models/net.bin")})
        with builder_for(inside, tmp_path / "cache", first_pause=0.01) as builder:
            with pytest.raises(Unavailable, match="answers 50"):
                builder.build(spec, CODE, silent)
            assert inside.tags(PROJECT) == []
            assert builder.find(spec) is None
            enlarge(running.process, running.storage)
            image = builder.build(spec, CODE, silent)
            require_whole(inside, PROJECT, image.digest)


def require_whole(registry: Registry, repository: str, digest: str) -> None:
    location = parse_location(registry.url)
    session = Session(location, location.host, Credentials(), first_pause=0.01)
    client = RegistryClient(session, lambda: None)
    tags = registry.tags(repository)
    assert [client.manifest_digest(repository, tag) for tag in tags] == [digest]
    assert broken_blobs(client, repository, tags[0]) == []
    session.close()

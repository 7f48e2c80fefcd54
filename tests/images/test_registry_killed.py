"""A builder that is killed at any request, and builders that do not know of each other."""

from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from faulty_proxy import Fault, Proxy, running_proxy
from image_examples import CODE, in_code, silent
from push_once import push_spec
from registry_images import PROJECT, broken_blobs, builder_for, spec_for, tree_at
from registry_server import Registry

from controller.images.registry.auth import Credentials
from controller.images.registry.builder import RegistryBuilder
from controller.images.registry.client import RegistryClient
from controller.images.registry.reference import parse_location
from controller.images.registry.session import Session

pytestmark = pytest.mark.faults

PUSH = Path(__file__).with_name("push_once.py")


def push(proxy: Proxy, cache: Path, repository: str) -> subprocess.Popen[str]:
    command = [sys.executable, str(PUSH), proxy.url.removeprefix("http://"), str(cache), repository]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finished(process: subprocess.Popen[str]) -> str:
    try:
        out, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 0, errors
    return out.split()[0]


def killed_at(proxy: Proxy, cache: Path, repository: str, request: int) -> None:
    """Push, and kill the process when it sends the request of that number."""
    started: list[subprocess.Popen[str]] = []

    def choose(method: str, path: str, before: int) -> Fault | None:
        if len(proxy.seen) < request:
            return None
        started[0].kill()
        return Fault(cut=1)

    proxy.seen.clear()
    with proxy.lock:
        started.append(push(proxy, cache, repository))
        proxy.choose = choose
    victim = started[0]
    try:
        victim.communicate(timeout=60)
    finally:
        victim.kill()
    proxy.choose = lambda method, path, before: None


def require_whole(registry: Registry, repository: str) -> str:
    """The digest of the repository's only image, every byte of which is there; empty where there is none yet."""
    tags = registry.tags(repository)
    if not tags:
        return ""
    location = parse_location(registry.url)
    session = Session(location, location.host, Credentials(), first_pause=0.01)
    try:
        client = RegistryClient(session, lambda: None)
        assert broken_blobs(client, repository, *tags) == []
        return client.manifest_digest(repository, *tags) or ""
    finally:
        session.close()


def test_killed_at_every_request_the_next_build_finishes(registry: Registry, tmp_path: Path) -> None:
    with running_proxy(registry.address) as proxy:
        whole = finished(push(proxy, tmp_path / "whole", "whole"))
        requests = len(proxy.seen)
        assert requests > 12
        for request in range(1, requests + 1):
            repository, cache = f"killed/at-{request}", tmp_path / f"cache-{request}"
            killed_at(proxy, cache, repository, request)
            assert require_whole(registry, repository) in (("",) if request < requests - 1 else ("", whole))
            spec = push_spec(f"{registry.address}/{repository}")
            with RegistryBuilder(registry.url, registry.address, cache, mirrors={"docker.io": registry.url}) as builder:
                assert builder.build(spec, CODE, silent).digest == whole
            assert require_whole(registry, repository) == whole


@pytest.mark.parametrize("caches", [1, 2], ids=["one machine", "two machines"])
def test_two_controllers_that_build_one_image_at_once(registry: Registry, tmp_path: Path, caches: int) -> None:
    """On one machine the second waits for the first; on two the work is done twice, and comes to the same."""
    both, lock = threading.Barrier(2), threading.Lock()
    first: list[str] = []

    def choose(method: str, path: str, before: int) -> Fault | None:
        """No build goes on before each of them has begun: with caches of their own, both find that there is no image."""
        if method == "HEAD" and "/manifests/v-" in path and caches == 2:
            with lock:
                first.append(path)
                waits = len(first) <= 2
            if waits:
                both.wait(60)
        return None

    with running_proxy(registry.address) as proxy:
        proxy.choose = choose
        builds = [push(proxy, tmp_path / f"cache-{number % caches}", "shared/project") for number in range(2)]
        digests = {finished(build) for build in builds}
        assert len(digests) == 1
        assert require_whole(registry, "shared/project") == digests.pop()
        published = [path for method, path in proxy.seen if method == "PUT" and "/manifests/v-" in path]
        assert len(published) == caches


def test_builders_that_do_not_know_of_each_other_make_one_image(registry: Registry, tmp_path: Path) -> None:
    spec = spec_for(registry, files={"m.bin": in_code("models/net.bin")}, requirements="six==1.16.0\n")

    def build(number: int) -> str:
        with builder_for(registry, tmp_path / f"cache-{number // 2}") as builder:
            return builder.build(spec, CODE, silent).digest

    with ThreadPoolExecutor(6) as pool:
        digests = set(pool.map(build, range(6)))
    assert len(digests) == 1
    assert registry.tags(PROJECT) == [spec.tag]
    with builder_for(registry, tmp_path / "reader") as reader:
        image = reader.find(spec)
    assert image is not None
    assert "valohai/code/m.bin" in tree_at(registry, image)

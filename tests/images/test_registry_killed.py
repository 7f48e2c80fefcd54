"""A builder that is killed at any request, and builders that do not know of each other."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from faulty_proxy import Fault, Proxy, running_proxy
from image_examples import CODE, in_code, silent
from registry_images import PROJECT, builder_for, spec_for, tree_at
from registry_server import Registry

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
    return out.strip()


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


def test_killed_at_every_request_the_next_build_finishes(registry: Registry, tmp_path: Path) -> None:
    with running_proxy(registry.address) as proxy:
        whole = finished(push(proxy, tmp_path / "whole", "whole"))
        requests = len(proxy.seen)
        assert requests > 12
        for request in range(1, requests + 1):
            repository, cache = f"killed/at-{request}", tmp_path / f"cache-{request}"
            killed_at(proxy, cache, repository, request)
            broken = [tag for tag in registry.tags(repository) if request < requests - 1 and tag]
            assert not broken, f"a tag after request {request} of {requests}"
            assert finished(push(proxy, cache, repository)) == whole


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

"""Redirects of declared files: out to the internet, and into this network only where that is granted."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest
from https_server import Server, https_server
from image_examples import CODE, builder_at, silent, spec_of

from controller.images.files import FileCache
from controller.images.redirects import require_allowed
from controller.model.declared import FileContent
from controller.model.errors import Stalled
from controller.model.images import BuildTerms, ImageSpec

pytestmark = pytest.mark.contract

DATA = b"model" * 1000
SHA256 = hashlib.sha256(DATA).hexdigest()
BEGUN = httpx2.URL("https://models.example.com/public/m.bin")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with https_server(tmp_path, DATA) as running:
        yield running


def fetch(server: Server, cache: Path, *prefixes: str) -> Path:
    granted = (f"{server.url}/", *prefixes)
    return FileCache(cache, verify=server.trust).fetch(f"{server.url}/model.bin", SHA256, silent, granted)


@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254",
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f.1",
        "0.0.0.0",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "224.0.0.1",
        "localhost",
        "[::1]",
        "[::]",
        "[fe80::1]",
        "[fd00:ec2::254]",
        "[::ffff:169.254.169.254]",
        "[64:ff9b::a9fe:a9fe]",
        "[2002:7f00:1::]",
    ],
)
def test_a_redirect_into_this_network_is_refused(host: str) -> None:
    with pytest.raises(Stalled, match=r"models\.example\.com redirects to .*, which is no public address") as told:
        require_allowed(httpx2.URL(f"https://{host}/latest/meta-data"), BEGUN, ("https://models.example.com/public/",))
    assert "grants.filePrefixes" in (told.value.hint or "")
    require_allowed(httpx2.URL(f"https://{host}/latest/meta-data"), BEGUN, (f"https://{host}/latest/",))


@pytest.mark.parametrize("host", ["1.1.1.1", "[2606:4700:4700::1111]", "[64:ff9b::101:101]", "no-such-name.invalid"])
def test_a_redirect_to_the_internet_is_followed(host: str) -> None:
    require_allowed(httpx2.URL(f"https://{host}/bucket/m.bin?X-Signature=1"), BEGUN, ())


def test_a_redirect_on_the_same_host_is_followed_although_it_is_inside(server: Server, tmp_path: Path) -> None:
    server.behaviour.location = f"{server.url}/redirected"
    assert fetch(server, tmp_path / "cache").read_bytes() == DATA


def test_another_host_inside_needs_a_grant_of_its_own(server: Server, tmp_path: Path) -> None:
    elsewhere = server.url.replace("localhost", "127.0.0.1")
    server.behaviour.location = f"{elsewhere}/redirected"
    with pytest.raises(Stalled, match=r"localhost redirects to 127\.0\.0\.1, which is no public address"):
        fetch(server, tmp_path / "one")
    assert len(server.behaviour.seen) == 1, "nothing was asked there"
    assert fetch(server, tmp_path / "two", f"{elsewhere}/").read_bytes() == DATA


def test_who_builds_for_themselves_may_be_led_anywhere(server: Server, tmp_path: Path) -> None:
    server.behaviour.location = f"{server.url.replace('localhost', '127.0.0.1')}/redirected"
    cache = FileCache(tmp_path / "cache", verify=server.trust)
    assert cache.fetch(f"{server.url}/model.bin", SHA256, silent).read_bytes() == DATA


def test_who_knows_a_digest_gets_nothing_of_what_another_source_has_fetched(server: Server, tmp_path: Path) -> None:
    cache = FileCache(tmp_path / "cache", verify=server.trust)
    theirs, ours = f"{server.url}/theirs/", f"{server.url}/ours/"
    assert cache.fetch(f"{theirs}model.bin?signature=1", SHA256, silent, (theirs,)).read_bytes() == DATA
    assert cache.fetch(f"{theirs}%6dodel.bin?signature=2", SHA256, silent, (theirs,)).read_bytes() == DATA
    assert len(server.behaviour.seen) == 1
    server.behaviour.status = 404
    with pytest.raises(Stalled, match=r"/ours/model\.bin answers 404"):
        cache.fetch(f"{ours}model.bin", SHA256, silent, (ours,))
    server.behaviour.status = 200
    assert cache.fetch(f"{ours}model.bin", SHA256, silent, (ours,)).read_bytes() == DATA
    assert cache.fetch(f"{ours}model.bin", SHA256, silent, (ours,)).read_bytes() == DATA
    assert len(server.behaviour.seen) == 3


def test_nor_does_it_by_a_layer_that_was_made_of_it(server: Server, tmp_path: Path) -> None:
    def spec(directory: str) -> ImageSpec:
        prefix = f"{server.url}/{directory}/"
        file = FileContent(url=f"{prefix}model.bin", sha256=SHA256)
        return spec_of(files={"m.bin": file}, port=9000 + len(directory), terms=BuildTerms(file_prefixes=(prefix,)))

    builder = builder_at(tmp_path, verify=server.trust)
    assert builder.build(spec("theirs"), CODE, silent)
    server.behaviour.status = 404
    with pytest.raises(Stalled, match=r"/ours/model\.bin answers 404"):
        builder.build(spec("ours"), CODE, silent)
    assert builder.build(replace(spec("theirs"), port=1), CODE, silent)


def test_an_address_is_granted_where_it_is_fetched_too(server: Server, tmp_path: Path) -> None:
    cache = FileCache(tmp_path / "cache", verify=server.trust)
    with pytest.raises(Stalled, match="is not granted to this source"):
        cache.fetch(f"{server.url}/model.bin", SHA256, silent, ("https://models.example.com/",))
    assert cache.fetch(f"{server.url}/model.bin", SHA256, silent).read_bytes() == DATA
    with pytest.raises(Stalled, match="is not granted to this source"):
        cache.fetch(f"{server.url}/model.bin", SHA256, silent, ())
    assert len(server.behaviour.seen) == 1

"""Declared files by URL: whole and verified, or an error that says what to do."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from https_server import Server, https_server
from image_examples import CODE, builder_at, silent, spec_of, unpacker_at

from controller.images.files import FileCache, cached
from controller.images.sizes import Sizes
from controller.model.declared import FileContent
from controller.model.errors import Stalled, Transient
from controller.model.limits import Limits

pytestmark = pytest.mark.contract

DATA = os.urandom(1 << 10) * 3000
SHA256 = hashlib.sha256(DATA).hexdigest()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with https_server(tmp_path_factory.mktemp("tls"), DATA) as server:
        yield server


@pytest.fixture
def server(running: Server) -> Server:
    """The server with its faults and its memory reset."""
    running.behaviour.__init__(DATA)  # type: ignore[misc]
    return running


def fetch(server: Server, cache: Path, *, path: str = "/model.bin", sha256: str = SHA256, limit: int = 1 << 30) -> Path:
    sizes = Sizes(Limits(file=limit))
    return FileCache(cache, sizes=sizes, verify=server.trust).fetch(server.url + path, sha256, silent)


def test_file_is_fetched_once_and_kept_read_only(server: Server, tmp_path: Path) -> None:
    path = fetch(server, tmp_path)
    assert path == fetch(server, tmp_path) == cached(tmp_path, SHA256)
    assert path.read_bytes() == DATA
    assert path.stat().st_mode & 0o777 == 0o444
    assert len(server.behaviour.seen) == 1


def test_cut_transfer_goes_on_where_it_stopped(server: Server, tmp_path: Path) -> None:
    server.behaviour.cut = 1_500_000
    with pytest.raises(Transient, match=r"/model\.bin cannot be fetched"):
        fetch(server, tmp_path)
    begun = cached(tmp_path, SHA256).with_name(f"{SHA256}.partial")
    already = begun.stat().st_size
    assert 0 < already <= 1_500_000
    assert fetch(server, tmp_path).read_bytes() == DATA
    assert server.behaviour.seen == [None, f"bytes={already}-"]


def test_server_that_only_drips_is_given_up_for_now(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controller.images.download._SECONDS", 0.0)
    with pytest.raises(Transient, match=r"/model\.bin cannot be fetched: .* bytes in 0 s"):
        fetch(server, tmp_path)
    monkeypatch.undo()
    assert fetch(server, tmp_path).read_bytes() == DATA


@pytest.mark.parametrize("left", [b"", DATA[:1000], DATA, DATA + b"more", b"rubbish" * 100])
@pytest.mark.parametrize("ranges", [True, False])
def test_whatever_was_left_the_file_becomes_whole(server: Server, tmp_path: Path, left: bytes, ranges: bool) -> None:
    server.behaviour.ranges = ranges
    begun = cached(tmp_path, SHA256).with_name(f"{SHA256}.partial")
    begun.parent.mkdir(parents=True)
    begun.write_bytes(left)
    assert fetch(server, tmp_path).read_bytes() == DATA


def test_another_part_than_asked_for_is_not_appended(server: Server, tmp_path: Path) -> None:
    begun = cached(tmp_path, SHA256).with_name(f"{SHA256}.partial")
    begun.parent.mkdir(parents=True)
    begun.write_bytes(DATA[:1000])
    server.behaviour.shifted = True
    with pytest.raises(Transient, match="another part"):
        fetch(server, tmp_path)
    assert fetch(server, tmp_path).read_bytes() == DATA


def test_wrong_digest_names_both_and_keeps_nothing(server: Server, tmp_path: Path) -> None:
    other = "0" * 64
    with pytest.raises(Stalled, match=f"has sha256 {SHA256}, but the version names {other}"):
        fetch(server, tmp_path, sha256=other)
    assert not list((tmp_path / "blobs" / "sha256").iterdir())


@pytest.mark.parametrize(
    ("status", "kind"), [(403, Stalled), (404, Stalled), (429, Transient), (500, Transient), (503, Transient)]
)
def test_refusal_says_whether_to_try_again(server: Server, tmp_path: Path, status: int, kind: type[Exception]) -> None:
    server.behaviour.status = status
    with pytest.raises(kind, match=f"answers {status}"):
        fetch(server, tmp_path)


@pytest.mark.parametrize("announced", [True, False])
def test_file_over_the_limit_is_refused(server: Server, tmp_path: Path, announced: bool) -> None:
    server.behaviour.length = None if announced else 10
    limit = 1000 if announced else 5
    with pytest.raises(Stalled, match=f"and the limit of one file is {limit} bytes") as told:
        fetch(server, tmp_path, limit=limit)
    assert told.value.hint == "make it smaller, or raise `registry.limits.file` of the target"
    assert not cached(tmp_path, SHA256).exists()


def test_redirect_is_followed_over_https_only(server: Server, tmp_path: Path) -> None:
    server.behaviour.location = "/redirected"
    assert fetch(server, tmp_path / "one").read_bytes() == DATA
    server.behaviour.location = "http://localhost:1/model.bin"
    with pytest.raises(Stalled, match="is not https"):
        fetch(server, tmp_path / "two")
    server.behaviour.location = "/again"
    with pytest.raises(Stalled, match="redirects more than 5 times"):
        fetch(server, tmp_path / "three")


def test_unknown_certificate_is_never_accepted(server: Server, tmp_path: Path) -> None:
    with pytest.raises(Transient, match=r"(?i)certificate"):
        FileCache(tmp_path).fetch(f"{server.url}/model.bin", SHA256, silent)


def test_credentials_in_a_url_are_not_printed(server: Server, tmp_path: Path) -> None:
    server.behaviour.status = 404
    url = server.url.replace("https://", "https://user:hunter2@") + "/m?signature=hunter2#hunter2"
    with pytest.raises(Stalled) as caught:
        FileCache(tmp_path, verify=server.trust).fetch(url, SHA256, silent)
    assert "hunter2" not in str(caught.value) + str(caught.value.hint)


def test_unreachable_host_is_worth_another_try(tmp_path: Path) -> None:
    with pytest.raises(Transient, match="cannot be fetched"):
        FileCache(tmp_path).fetch("https://127.0.0.1:1/model.bin", SHA256, silent)


@pytest.mark.parametrize(
    "url",
    [
        "s3://bucket/m",
        "gs://bucket/m",
        "abfs://c@a/m",
        "http://example.com/m",
        "ftp://x/m",
        "file:///etc/passwd",
        "m",
        "",
        "https://example.com:port/m",
    ],
)
def test_other_schemes_are_refused_with_an_alternative(tmp_path: Path, url: str) -> None:
    with pytest.raises(Stalled):
        FileCache(tmp_path).fetch(url, SHA256, silent)


@pytest.mark.parametrize("sha256", ["", "abc", "../../etc/passwd", "g" * 64])
def test_url_without_a_digest_is_refused(tmp_path: Path, sha256: str) -> None:
    with pytest.raises(Stalled, match="needs its sha256"):
        FileCache(tmp_path).fetch("https://example.com/m", sha256, silent)


def test_local_file_only_where_it_is_granted(tmp_path: Path) -> None:
    model = tmp_path / "my model%.bin"
    model.write_bytes(DATA)
    granted = FileCache(tmp_path / "cache", allow_file_urls=True)
    assert granted.fetch(model.as_uri(), SHA256, silent).read_bytes() == DATA
    with pytest.raises(Stalled, match="there is no file"):
        granted.fetch((tmp_path / "gone").as_uri(), "0" * 64, silent)
    with pytest.raises(Stalled, match="there is no file"):
        granted.fetch(tmp_path.as_uri(), "0" * 64, silent)


def test_file_that_is_in_a_layer_is_not_fetched_again(server: Server, tmp_path: Path) -> None:
    spec = spec_of(files={"models/net.bin": FileContent(url=f"{server.url}/m", sha256=SHA256)})
    builder = builder_at(tmp_path, verify=server.trust)
    unpacked = unpacker_at(tmp_path).unpack(builder.build(spec, CODE, silent).reference)
    assert (unpacked.code / "models/net.bin").read_bytes() == DATA
    cached(tmp_path / "cache", SHA256).unlink()
    builder.build(spec_of(files=spec.files, port=9), CODE, silent)
    assert len(server.behaviour.seen) == 1

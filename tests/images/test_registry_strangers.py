"""Registries of strangers, whom a repository names as a base image: neither endless nor odd answers do harm."""

from __future__ import annotations

import json
import tarfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx2
import pytest
from base_images import MANIFEST, archive, digest_of, push_blob, push_manifest
from faulty_proxy import Fault, running_proxy
from image_examples import CODE, silent
from registry_images import builder_for, spec_for
from registry_server import Registry

from controller.images.installer import failure
from controller.images.registry.auth import Credentials
from controller.images.registry.bodies import blocks
from controller.images.registry.client import RegistryClient
from controller.images.registry.reference import parse_location
from controller.images.registry.session import Session
from controller.model.errors import Stalled, Unavailable
from controller.model.images import Image

pytestmark = pytest.mark.faults

_PART = bytes(1 << 20)
_DIGEST = f"sha256:{'a' * 64}"
_MOST = 64
"""Parts that are sent before a stranger gives up; far more than anything may read."""


class _Endless(BaseHTTPRequestHandler):
    """Wants a token for `/v2/guarded/`, and answers everything else with a body that does not end."""

    sent: list[int]

    def do_GET(self) -> None:
        if self.path.startswith("/v2/guarded/"):
            self.send_response(401)
            realm = f"http://{self.headers['host']}/token"
            self.send_header("www-authenticate", f'Bearer realm="{realm}",scope="repository:guarded/base:pull"')
            self.send_header("content-length", "0")
            self.end_headers()
            return
        self.send_response(400 if "blobs" in self.path else 200)
        self.end_headers()
        with suppress(OSError):
            for _ in range(_MOST):
                self.wfile.write(_PART)
                self.sent.append(len(_PART))

    def log_message(self, format: str, *args: object) -> None:
        """Nobody reads it."""


@contextmanager
def _stranger(sent: list[int]) -> Iterator[RegistryClient]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Endless,), {"sent": sent}))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    location = parse_location(f"http://127.0.0.1:{server.server_port}")
    session = Session(location, location.host, Credentials(), first_pause=0.01)
    try:
        yield RegistryClient(session, lambda: silent("", 0, 0))
    finally:
        session.close()
        server.shutdown()
        thread.join()
        server.server_close()


def test_token_service_without_end_is_not_read() -> None:
    sent: list[int] = []
    with _stranger(sent) as client, pytest.raises(Unavailable, match="token service"):
        client.manifest("guarded/base", "1")
    assert len(sent) < 5 * _MOST, "five tries, none of them whole"


def test_refusal_without_end_is_not_read() -> None:
    sent: list[int] = []
    with (
        _stranger(sent) as client,
        pytest.raises(Stalled, match="larger than"),
        client.reading("team/base", _DIGEST) as read,
    ):
        next(read)
    assert len(sent) < _MOST


def test_body_that_only_drips_counts_as_silence() -> None:
    response = httpx2.Response(200, content=iter([b"a"] * 100), request=httpx2.Request("GET", "https://example.com/"))
    with pytest.raises(httpx2.ReadTimeout, match="bytes in"):
        list(blocks(response, seconds=0.0))


def test_body_comes_in_blocks_and_whole() -> None:
    response = httpx2.Response(200, content=iter([b"ab", b"c", b"def", b"g"]), request=httpx2.Request("GET", "https://e.com/"))
    assert list(blocks(response, size=3)) == [b"abc", b"def", b"g"]


def _oversized_header() -> bytes:
    header = tarfile.TarInfo("pax")
    header.type, header.size = tarfile.XHDTYPE, 1 << 32
    return header.tobuf(tarfile.USTAR_FORMAT) + bytes(1 << 16)


def _oversized_file() -> bytes:
    file = tarfile.TarInfo("zeros")
    file.size = 1 << 50
    return file.tobuf(tarfile.GNU_FORMAT)


def _headers_of_headers() -> bytes:
    header = tarfile.TarInfo("long")
    header.type = tarfile.GNUTYPE_LONGNAME
    return header.tobuf(tarfile.GNU_FORMAT) * 5000


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        (_oversized_header(), "has a header of"),
        (_oversized_file(), "unpacks to more than"),
        (_headers_of_headers(), "cannot be read"),
    ],
    ids=["header", "file", "headers"],
)
def test_layer_that_is_a_trap_is_no_reason_to_read_on(registry: Registry, tmp_path: Path, layer: bytes, words: str) -> None:
    document = {"os": "linux", "architecture": "amd64", "rootfs": {"type": "layers", "diff_ids": [digest_of(layer)]}}
    with builder_with_base(registry, tmp_path, document, layer) as build, pytest.raises((Stalled, Unavailable), match=words):
        build()


@pytest.mark.parametrize(
    "odd",
    [
        {"rootfs": []},
        {"rootfs": {"diff_ids": 1}},
        {"config": []},
        {"config": {"Env": [1]}},
        {"config": {"Env": 5}},
        {"config": {"ExposedPorts": ["80/tcp"]}},
        {"history": "none"},
        {"config": {"User": {}}},
    ],
    ids=str,
)
def test_configuration_of_another_shape_is_refused_in_words(registry: Registry, tmp_path: Path, odd: dict[str, object]) -> None:
    layer = archive({"usr/bin/python3": b"x"})
    document = {"os": "linux", "architecture": "amd64", "rootfs": {"type": "layers", "diff_ids": [digest_of(layer)]}, **odd}
    with builder_with_base(registry, tmp_path, document, layer) as build, pytest.raises(Stalled, match="base image"):
        build()


@contextmanager
def builder_with_base(
    registry: Registry, directory: Path, document: dict[str, object], layer: bytes
) -> Iterator[Callable[[], Image]]:
    """What builds an image with requirements on a base of this configuration and layer."""
    config = json.dumps(document).encode()
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": _descriptor(registry, config, "application/vnd.oci.image.config.v1+json"),
        "layers": [_descriptor(registry, layer, "application/vnd.oci.image.layer.v1.tar")],
    }
    push_manifest(registry.url, "library/python", "odd", manifest)
    spec = spec_for(registry, base="python:odd", requirements="six==1.16.0\n")
    with builder_for(registry, directory / "cache", first_pause=0.01) as builder:
        yield lambda: builder.build(spec, CODE, silent)


def _descriptor(registry: Registry, data: bytes, media_type: str) -> dict[str, object]:
    return {"mediaType": media_type, "digest": push_blob(registry.url, "library/python", data), "size": len(data)}


def test_words_of_a_stranger_move_no_cursor(registry: Registry, tmp_path: Path) -> None:
    complaint = json.dumps({"errors": [{"code": "DENIED", "message": "\x1b]0;owned\x07\nall is well"}]}).encode()
    with running_proxy(registry.address) as proxy:
        proxy.choose = lambda method, path, before: Fault(404 if method == "HEAD" else 409, body=complaint)
        location = parse_location(proxy.url)
        session = Session(location, location.host, Credentials(), first_pause=0.01)
        with pytest.raises(Stalled) as caught:
            RegistryClient(session, lambda: silent("", 0, 0)).manifest("team/base", "1")
        session.close()
    assert caught.value.message.isprintable()
    assert "all is well" in caught.value.message
    assert "\x1b" not in failure("error: \x1b[2Jno such package").message


def test_media_type_of_a_stranger_is_shown_and_not_obeyed(registry: Registry, tmp_path: Path) -> None:
    layer = b"x"
    config = json.dumps({"os": "linux", "architecture": "amd64", "rootfs": {"diff_ids": [digest_of(layer)]}}).encode()
    described = _descriptor(registry, config, "application/vnd.oci.image.config.v1+json")
    odd = _descriptor(registry, layer, "application/x\x1b[2J")
    document = {"schemaVersion": 2, "mediaType": MANIFEST, "config": described, "layers": [odd]}
    push_manifest(registry.url, "library/python", "odd", document)
    with builder_for(registry, tmp_path / "cache") as builder, pytest.raises(Stalled, match="cannot be used") as caught:
        builder.build(spec_for(registry, base="python:odd"), CODE, silent)
    assert caught.value.message.isprintable()

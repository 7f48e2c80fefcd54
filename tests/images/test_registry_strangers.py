"""Registries of strangers, whom a repository names as a base image: neither endless nor odd answers do harm."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx2
import pytest
from image_examples import silent

from controller.images.registry.auth import Credentials
from controller.images.registry.bodies import blocks
from controller.images.registry.client import RegistryClient
from controller.images.registry.reference import parse_location
from controller.images.registry.session import Session
from controller.model.errors import Stalled, Unavailable

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

"""A real HTTPS server on this machine, with ranges and with the faults that a test asks for."""

from __future__ import annotations

import re
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


@dataclass
class Behaviour:
    """What the server answers. `cut` ends the next answer after so many bytes; `seen` are the Range headers that came."""

    data: bytes
    status: int = 200
    cut: int | None = None
    ranges: bool = True
    location: str | None = None
    length: int | None = None
    shifted: bool = False
    seen: list[str | None] = field(default_factory=list)


class Handler(BaseHTTPRequestHandler):
    behaviour: Behaviour

    def do_GET(self) -> None:
        behaviour = self.behaviour
        asked = self.headers.get("range")
        behaviour.seen.append(asked)
        if behaviour.location and self.path != "/redirected":
            self._answer(302, {"Location": behaviour.location}, b"")
        elif behaviour.status != 200:
            self._answer(behaviour.status, {}, b"no")
        elif asked and behaviour.ranges:
            self._part(int((re.search(r"\d+", asked) or [""])[0]))
        else:
            self._answer(200, {}, behaviour.data)

    def _part(self, start: int) -> None:
        data = self.behaviour.data
        if start >= len(data):
            self._answer(416, {}, b"")
            return
        first = start + 1 if self.behaviour.shifted else start
        self._answer(206, {"Content-Range": f"bytes {first}-{len(data) - 1}/{len(data)}"}, data[first:])

    def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(self.behaviour.length or len(body)))
        self.end_headers()
        cut, self.behaviour.cut = self.behaviour.cut, None
        with suppress(OSError):  # a client that refuses the rest hangs up
            self.wfile.write(body[:cut])
        self.close_connection = True

    def log_message(self, format: str, *arguments: object) -> None:
        """Tests need no access log."""


@dataclass(frozen=True)
class Server:
    url: str
    behaviour: Behaviour
    trust: ssl.SSLContext


@contextmanager
def https_server(directory: Path, data: bytes) -> Iterator[Server]:
    """Serves `data` under every path. `trust` is the client's context that knows its certificate."""
    certificate, key = directory / "certificate.pem", directory / "key.pem"
    request = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    request += ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(request, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    behaviour = Behaviour(data)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"behaviour": behaviour}))
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield Server(f"https://localhost:{server.server_port}", behaviour, ssl.create_default_context(cafile=str(certificate)))
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

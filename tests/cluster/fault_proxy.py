"""What networks and API servers do to a controller, done on purpose: a proxy before the real API server that can fail.

Clients reach it by TLS with a kubeconfig of its own. Whatever no rule concerns is passed on, and everything is written down.
"""

from __future__ import annotations

import base64
import os
import socket
import ssl
import struct
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, urlencode, urlsplit

import urllib3
import yaml

from tests.cluster.credentials import write_kubeconfig
from tests.cluster.fault_rules import Answer, Asked, Rule

_BLOCK = 65536
_HANDSHAKE = 10.0
_NOT_PASSED_ON = {"connection", "content-length", "host", "keep-alive", "transfer-encoding"}


@dataclass(eq=False)
class Stream:
    """An open watch; silenced, it stays open and says nothing more."""

    asked: Asked
    handler: _Handler
    upstream: urllib3.BaseHTTPResponse
    is_silent: bool = False

    def break_off(self) -> None:
        with suppress(OSError, ValueError, RuntimeError):  # it has just ended by itself
            self.upstream.shutdown()


class FaultProxy:
    """A context manager. `kubeconfig` names the cluster behind it and the caller; `self.kubeconfig` is how to come this way."""

    def __init__(self, kubeconfig: Path, directory: Path) -> None:
        document = yaml.safe_load(kubeconfig.read_text())
        cluster, user = document["clusters"][0]["cluster"], document["users"][0]["user"]
        self.upstream = cluster["server"]
        authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
        self.pool = urllib3.PoolManager(maxsize=64, ca_cert_data=authority, retries=False)
        self._server = _Server(self, _certificate(directory))
        self.kubeconfig = directory / "faulty.kubeconfig"
        address = f"https://127.0.0.1:{self._server.server_address[1]}"
        write_kubeconfig(self.kubeconfig, address, (directory / "proxy.pem").read_bytes(), user["token"])
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, name="fault-proxy")
        self._lock = threading.Lock()
        self._rules: list[Rule] = []
        self._streams: set[Stream] = set()
        self._requests: list[Asked] = []
        self.closing = threading.Event()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.drop_all()
        for stream in self.streams():
            stream.break_off()
        self._server.server_close()
        self.pool.clear()

    # what it does

    @contextmanager
    def rules(self, *rules: Rule) -> Iterator[None]:
        """Have these in force during the block; of several that concern a request the first counts."""
        with self._lock:
            self._rules += rules
        try:
            yield
        finally:
            with self._lock:
                self._rules = [rule for rule in self._rules if rule not in rules]
            for rule in rules:
                rule.lifted.set()

    def drop_all(self) -> None:
        """Reset every connection that is open, watches included."""
        self._server.drop_all()

    def streams(self, resource: str = "") -> list[Stream]:
        """The open watches, of one resource or of all."""
        with self._lock:
            return [stream for stream in self._streams if resource in ("", stream.asked.resource)]

    # what it has seen

    def requests(self, since: int = 0) -> list[Asked]:
        """Everything that was asked, in the order in which it came, from the `since`-th on."""
        with self._lock:
            return self._requests[since:]

    # for its connections

    def arrived(self, asked: Asked) -> Rule | None:
        with self._lock:
            self._requests.append(asked)
            return next((rule for rule in self._rules if rule.concerns(asked)), None)

    def finished(self, rule: Rule) -> None:
        with self._lock:
            rule.finished += 1

    @contextmanager
    def open(self, stream: Stream) -> Iterator[None]:
        with self._lock:
            self._streams.add(stream)
        try:
            yield
        finally:
            with self._lock:
                self._streams.discard(stream)


@dataclass
class Exchange:
    """One request, as a fault sees it."""

    proxy: FaultProxy
    asked: Asked
    handler: _Handler
    rule: Rule | None = None

    def forward(self, **query: str) -> Answer:
        """Have the API server carry it out, with some parameters of the query changed."""
        with self._send(query) as answer:
            return Answer(answer.status, dict(answer.headers), answer.read(decode_content=False))

    def relay(self) -> None:
        """Pass the request on, and the answer back: of a watch as it comes."""
        if self.asked.verb != "watch":
            self.reply(self.forward())
            return
        with self._send({}) as upstream:
            stream = Stream(self.asked, self.handler, upstream)
            with self.proxy.open(stream):
                self.handler.begin(upstream.status, upstream.headers, ("Transfer-Encoding", "chunked"))
                self._pass_events_on(stream)

    def reply(self, answer: Answer, cut: int | None = None) -> None:
        """Answer; with `cut`, only that many bytes of the body, though more were announced."""
        self.handler.begin(answer.code, answer.headers, ("Content-Length", str(len(answer.body))))
        self.handler.wfile.write(answer.body[:cut])
        if cut is not None:
            self.handler.close_connection = True

    def reset(self) -> None:
        """End the connection as a crash does, without a word."""
        self.handler.reset()

    def wait(self, seconds: float | None = None) -> None:
        """Until the rule is lifted, or so long; a client that gives up meanwhile is not noticed."""
        ended = self.rule.lifted if self.rule else self.proxy.closing
        ended.wait(seconds)

    @contextmanager
    def _send(self, changes: Mapping[str, str]) -> Iterator[urllib3.BaseHTTPResponse]:
        fields = {**self.asked.query, **changes}
        headers = {name: value for name, value in self.handler.headers.items() if name.lower() not in _NOT_PASSED_ON}
        answer = self.proxy.pool.request(
            self.asked.method,
            f"{self.proxy.upstream}{self.asked.path}?{urlencode(fields)}",
            body=self.asked.body or None,
            headers=headers,
            preload_content=False,
            decode_content=False,
        )
        try:
            yield answer
        finally:
            if self.asked.verb == "watch":
                answer.close()
            answer.release_conn()

    def _pass_events_on(self, stream: Stream) -> None:
        try:
            while block := stream.upstream.read1(_BLOCK):
                if not stream.is_silent:
                    self.handler.chunk(block)
            if stream.is_silent:
                self.proxy.closing.wait()
            self.handler.chunk(b"")
        except (urllib3.exceptions.HTTPError, OSError, ValueError):
            self.reset()


class _Handler(BaseHTTPRequestHandler):
    """One connection of a client."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server
    connection: ssl.SSLSocket

    def handle(self) -> None:
        with suppress(OSError, ValueError):  # either side ended it
            self.connection.settimeout(_HANDSHAKE)
            self.connection.do_handshake()
            self.connection.settimeout(None)
            super().handle()

    def log_message(self, format: str, *arguments: Any) -> None:
        """The proxy keeps its own list."""

    def begin(self, code: int, headers: Mapping[str, str], framing: tuple[str, str]) -> None:
        self.send_response_only(code)
        for name, value in headers.items():
            if name.lower() not in _NOT_PASSED_ON:
                self.send_header(name, value)
        self.send_header(*framing)
        self.end_headers()

    def chunk(self, block: bytes) -> None:
        self.wfile.write(b"%x\r\n%b\r\n" % (len(block), block))

    def reset(self) -> None:
        self.close_connection = True
        with suppress(OSError):
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            os.close(self.connection.detach())

    def _pass(self) -> None:
        url = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        query = {name: values[-1] for name, values in parse_qs(url.query, keep_blank_values=True).items()}
        asked = Asked(self.command, url.path, query, body)
        rule = self.server.proxy.arrived(asked)
        exchange = Exchange(self.server.proxy, asked, self, rule)
        try:
            (rule.fault if rule else Exchange.relay)(exchange)
        except urllib3.exceptions.HTTPError:
            self.reset()
        finally:
            if rule:
                self.server.proxy.finished(rule)

    do_GET = do_PATCH = do_POST = do_PUT = do_DELETE = _pass  # noqa: N815  names of http.server


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    request_queue_size = 128

    def __init__(self, proxy: FaultProxy, certificate: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.proxy = proxy
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(certificate)
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()

    def get_request(self) -> tuple[socket.socket, Any]:
        accepted, address = super().get_request()
        wrapped = self._tls.wrap_socket(accepted, server_side=True, do_handshake_on_connect=False)
        with self._lock:
            self._open.add(wrapped)
        return wrapped, address

    def close_request(self, request: Any) -> None:
        with self._lock:
            self._open.discard(request)
        super().close_request(request)

    def drop_all(self) -> None:
        with self._lock:
            for connection in self._open:
                with suppress(OSError):
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    socket.socket.shutdown(connection, socket.SHUT_RDWR)


def _certificate(directory: Path) -> Path:
    """One file with a key and the certificate that signs itself; clients are told of it as their authority."""
    directory.mkdir(parents=True, exist_ok=True)
    key, certificate = directory / "proxy.key", directory / "proxy.pem"
    kind = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    named = ["-subj", "/CN=fault-proxy", "-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run(["openssl", "req", *kind, *named, *files], check=True, capture_output=True)
    both = directory / "proxy.both"
    both.touch(mode=0o600)
    both.write_bytes(key.read_bytes() + certificate.read_bytes())
    return both

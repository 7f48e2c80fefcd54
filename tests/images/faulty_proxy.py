"""A proxy before a registry that does to chosen requests what networks and registries do."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_BLOCK = 1 << 16
_DROPPED = ("transfer-encoding", "connection")


@dataclass(frozen=True)
class Fault:
    """`status` is answered in the registry's place; `cut` ends the connection after so many bytes of the request's body.

    `short` ends it after so many bytes of the answer's body; `replace` changes that body, `headers` its headers. `sent` are
    headers in place of the request's own. With `held` the request is read, and nothing is answered until the event is set.
    """

    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    cut: int | None = None
    short: int | None = None
    replace: Callable[[bytes], bytes] | None = None
    sent: Mapping[str, str] = field(default_factory=dict)
    held: threading.Event | None = None


@dataclass
class Proxy:
    """`choose` says what happens to a request by its method, path and how many of the same method and path came before."""

    url: str = ""
    seen: list[tuple[str, str]] = field(default_factory=list)
    choose: Callable[[str, str, int], Fault | None] = lambda method, path, before: None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def fault(self, method: str, path: str) -> Fault | None:
        plain = path.partition("?")[0]
        with self.lock:
            before = self.seen.count((method, plain))
            self.seen.append((method, plain))
        return self.choose(method, path, before)


@contextmanager
def running_proxy(address: str) -> Iterator[Proxy]:
    proxy = Proxy()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"proxy": proxy, "address": address}))
    proxy.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield proxy
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    proxy: Proxy
    address: str
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *arguments: object) -> None:
        """Nobody reads it."""

    def handle(self) -> None:
        with suppress(ConnectionError):
            super().handle()

    def _any(self) -> None:
        fault = self.proxy.fault(self.command, self.path) or Fault()
        if fault.status:
            self._drain()
            self._answer(fault.status, fault.headers, fault.body)
            return
        backend = HTTPConnection(self.address, timeout=60)
        try:
            self._forward(backend, fault)
        finally:
            backend.close()

    def _drain(self) -> None:
        left = int(self.headers.get("content-length", 0))
        while left:
            left -= len(self.rfile.read(min(left, _BLOCK)))

    def _forward(self, backend: HTTPConnection, fault: Fault) -> None:
        size = int(self.headers.get("content-length", 0))
        backend.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            backend.putheader(name, fault.sent.get(name.lower(), value))
        backend.endheaders()
        allowed = size if fault.cut is None else min(size, fault.cut)
        sent = 0
        while sent < allowed:
            block = self.rfile.read(min(_BLOCK, allowed - sent))
            backend.send(block)
            sent += len(block)
        if fault.held:
            fault.held.wait()
        if fault.cut is not None:
            self.close_connection = True
            return
        answer = backend.getresponse()
        body = b"" if self.command == "HEAD" else answer.read()
        body = fault.replace(body) if fault.replace else body
        self._answer(answer.status, {**dict(answer.getheaders()), **fault.headers}, body, fault.short)

    def _answer(self, status: int, headers: Mapping[str, str], body: bytes, short: int | None = None) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in _DROPPED and (name.lower() != "content-length" or self.command == "HEAD"):
                self.send_header(name, value)
        if self.command != "HEAD":
            self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body if short is None else body[:short])
        if short is not None:
            self.close_connection = True

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _any  # noqa: N815

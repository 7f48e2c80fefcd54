"""An HTTP server that gives the answers that a test wrote, one per request, and remembers what it was asked."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


Step = Callable[["Handler", Asked], None]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Scripted

    def handle(self) -> None:
        with contextlib.suppress(OSError):
            super().handle()

    def log_message(self, format: str, *arguments: Any) -> None:
        """Say nothing."""

    def _any(self) -> None:
        url = urlsplit(self.path)
        query = {name: values[-1] for name, values in parse_qs(url.query).items()}
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        asked = Asked(self.command, url.path, query, dict(self.headers.items()), body)
        self.server.next_step(asked)(self, asked)

    do_GET = do_PATCH = do_DELETE = do_POST = _any  # noqa: N815

    def begin(self, code: int, **headers: str) -> None:
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()


class Scripted(ThreadingHTTPServer):
    """`script` is used up first; `always` answers what is left."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.script: deque[Step] = deque()
        self.always: Step = status(500, "the script is at its end")
        self.asked: list[Asked] = []
        self.ending = threading.Event()
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def next_step(self, asked: Asked) -> Step:
        with self._lock:
            self.asked.append(asked)
            return self.script.popleft() if self.script else self.always

    @contextlib.contextmanager
    def running(self) -> Iterator[Scripted]:
        thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield self
        finally:
            self.ending.set()
            self.shutdown()
            thread.join()
            self.server_close()


def answer(value: Any, code: int = 200, **headers: str) -> Step:
    """A whole JSON answer."""

    def step(handler: Handler, _asked: Asked) -> None:
        body = json.dumps(value).encode()
        handler.begin(code, Content_Length=str(len(body)), **headers)
        handler.wfile.write(body)

    return step


def text(code: int, body: str) -> Step:
    """An answer that is no JSON."""

    def step(handler: Handler, _asked: Asked) -> None:
        handler.begin(code, Content_Length=str(len(body)))
        handler.wfile.write(body.encode())

    return step


def status(code: int, message: str = "", reason: str = "", *, retry_after: int | None = None, **details: Any) -> Step:
    """A refusal in the API's own form."""
    body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "message": message}
    headers = {} if retry_after is None else {"Retry_After": str(retry_after)}
    return answer({**body, "reason": reason, "details": details}, code, **headers)


def reset(handler: Handler, _asked: Asked) -> None:
    """The connection breaks before a word."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.close_connection = True


def silent(handler: Handler, _asked: Asked) -> None:
    """No answer at all until the test is over."""
    handler.server.ending.wait()
    handler.close_connection = True


def dripping(handler: Handler, _asked: Asked) -> None:
    """An answer that never becomes whole, though bytes come all the time."""
    handler.begin(200, Transfer_Encoding="chunked")
    while not handler.server.ending.wait(0.02):
        handler.chunk(b" ")


def stream(*lines: Any, cut: bytes = b"", stay: bool = False) -> Step:
    """A watch: whole events, then perhaps a part of one that breaks off; with `stay` it is open until the end."""

    def step(handler: Handler, _asked: Asked) -> None:
        handler.begin(200, Transfer_Encoding="chunked")
        for line in lines:
            handler.chunk(json.dumps(line).encode() + b"\n")
        if cut:
            handler.chunk(cut)
            handler.close_connection = True
            return
        if stay:
            handler.server.ending.wait()
        handler.wfile.write(b"0\r\n\r\n")

    return step


def event(kind: str, version: int | str, name: str = "sample") -> dict[str, Any]:
    metadata = {"name": name, "namespace": "home", "resourceVersion": str(version)}
    return {"type": kind, "object": {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}}


def error_event(code: int, message: str) -> dict[str, Any]:
    return {"type": "ERROR", "object": {"kind": "Status", "apiVersion": "v1", "code": code, "message": message}}

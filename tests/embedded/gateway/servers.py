"""Small real endpoints and a raw client, for what an HTTP library would not let through."""

from __future__ import annotations

import json
import socket
import socketserver
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Handle = Callable[[BaseHTTPRequestHandler], None]


class Endpoint:
    """An HTTP server in a thread; by default it tells what it got, as JSON."""

    def __init__(self, name: str, handle: Handle | None = None, *, protocol: str = "HTTP/1.1") -> None:
        self.name = name
        self.requests = 0
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = protocol

            def _any(self) -> None:
                endpoint.requests += 1
                (handle or endpoint.echo)(self)

            do_GET = do_POST = do_PUT = do_HEAD = do_OPTIONS = do_DELETE = _any  # noqa: N815

            def log_message(self, *_: Any) -> None:
                pass

        class Quiet(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, *_: Any) -> None:
                pass

        self.server = Quiet(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        self._thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def echo(self, request: BaseHTTPRequestHandler) -> None:
        body = read_body(request)
        document = {
            "server": self.name,
            "method": request.command,
            "path": request.path,
            "headers": [[k, v] for k, v in request.headers.items()],
            "body": body.decode("latin-1"),
        }
        reply(request, json.dumps(document).encode())

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self._thread.join()


class RawEndpoint:
    """A TCP server whose every connection is a function's."""

    def __init__(self, handle: Callable[[socket.socket], None]) -> None:
        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                handle(self.request)

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            allow_reuse_address = True

            def handle_error(self, *_: Any) -> None:
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        self._thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self._thread.join()


def read_body(request: BaseHTTPRequestHandler) -> bytes:
    if "chunked" in request.headers.get("Transfer-Encoding", ""):
        parts = []
        while size := int(request.rfile.readline().split(b";")[0], 16):
            parts.append(request.rfile.read(size))
            request.rfile.readline()
        request.rfile.readline()
        return b"".join(parts)
    return request.rfile.read(int(request.headers.get("Content-Length", 0)))


def reply(request: BaseHTTPRequestHandler, body: bytes, status: int = 200, **headers: str) -> None:
    request.send_response(status)
    for name, value in headers.items():
        request.send_header(name.replace("_", "-"), value)
    request.send_header("Content-Length", str(len(body)))
    request.end_headers()
    if request.command != "HEAD":
        request.wfile.write(body)


def read_head(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65536)
        if not more:
            break
        data += more
    return data


def talk(port: int, data: bytes, *, timeout: float = 60.0) -> bytes:
    """Send bytes, read until the other side closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=timeout) as connection:
        connection.sendall(data)
        answer = b""
        try:
            while more := connection.recv(65536):
                answer += more
        except ConnectionResetError:
            pass
        return answer


def is_listed(port: int, path: str) -> bool:
    """Whether a gateway has taken a route in; asks its own index, not the endpoint."""
    return f'"path": "{path}"'.encode() in talk(port, b"GET / HTTP/1.0\r\n\r\n")


def eventually(check: Callable[[], Any], timeout: float = 60.0) -> Any:
    """Wait until something holds; the last look's answer decides."""
    deadline = time.monotonic() + timeout
    while not (found := check()) and time.monotonic() < deadline:
        time.sleep(0.01)
    return found


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as held:
        return int(held.getsockname()[1])

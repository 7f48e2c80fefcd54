"""Answers `/healthz` and `/readyz` for a kubelet: 200, or 503 with the reasons, one per line."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from controller.model.errors import Stalled

_PATIENCE = 5.0
"""Seconds for a request to arrive: a connection that says nothing holds no thread."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Verdict:
    """`failures` make it 503; `notes` are told beside, for people."""

    failures: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The whole answer."""
        return "".join(f"{line}\n" for line in (*(self.failures or ("ok",)), *self.notes))


Check = Callable[[], Verdict]


class _Handler(BaseHTTPRequestHandler):
    timeout = _PATIENCE
    server_version, sys_version = "pointsman", ""
    checks: Mapping[str, Check]

    def do_GET(self) -> None:
        check = self.checks.get(self.path.partition("?")[0])
        if check is None:
            self._answer(HTTPStatus.NOT_FOUND, f"known: {', '.join(sorted(self.checks))}\n")
            return
        verdict = check()
        self._answer(HTTPStatus.SERVICE_UNAVAILABLE if verdict.failures else HTTPStatus.OK, verdict.text)

    def _answer(self, status: HTTPStatus, text: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """A kubelet asks every few seconds: said in the debug log alone."""
        _log.debug(format, *args)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller that went away; `socketserver` would print a traceback."""
        del request
        _log.debug("health: %s went away", client_address, exc_info=True)


class _ServerOfSix(_Server):
    address_family = socket.AF_INET6


class HealthServer:
    """Takes the address at once; `checks` maps paths to what they ask. Raises Stalled when the address cannot be had."""

    def __init__(self, address: tuple[str, int], checks: Mapping[str, Check]) -> None:
        handler = type("Handler", (_Handler,), {"checks": dict(checks)})
        kind = _ServerOfSix if ":" in address[0] else _Server
        try:
            self._server = kind(address, handler)
        except OSError as error:
            host, port = address
            hint = "another process has it: change `health.address` in the configuration"
            raise Stalled(f"/healthz cannot be answered on {host}:{port}: {error.strerror}", hint=hint) from error
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), name="health", daemon=True)

    @property
    def port(self) -> int:
        """The one that it listens on, also where 0 was asked for."""
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Answer from now on; until then callers wait, because the address is taken already."""
        self._thread.start()

    def close(self) -> None:
        """Give the address back, whether it was started or not."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

"""A forge of one repository: git's plain file protocol over HTTPS, behind a token, with a certificate of its own."""

from __future__ import annotations

import base64
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

USER, TOKEN = "x-access-token", "open-sesame"


@dataclass
class Forge:
    """`url` of the repository, the file with its certificate, and what callers logged in with."""

    url: str
    certificate: Path
    logins: list[str] = field(default_factory=list)


class _Handler(SimpleHTTPRequestHandler):
    def __init__(self, forge: Forge, *arguments: Any, **named: Any) -> None:
        self._forge = forge
        super().__init__(*arguments, **named)

    def do_GET(self) -> None:
        scheme, _, encoded = self.headers.get("authorization", "").partition(" ")
        login = base64.b64decode(encoded).decode() if scheme == "Basic" else ""
        if login:
            self._forge.logins.append(login)
        if login == f"{USER}:{TOKEN}":
            super().do_GET()
            return
        self.send_response(401)
        self.send_header("WWW-Authenticate", 'Basic realm="forge"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Not in the tests' output."""


@contextmanager
def forge_of(repository: Path, folder: Path, *, address: str = "127.0.0.1") -> Iterator[Forge]:
    """Serve a repository's git directory as it is then; `update_server_info` shows later commits."""
    key, certificate = folder / "forge.key", folder / "forge.crt"
    subject = ["-subj", "/CN=forge", "-addext", f"subjectAltName=IP:{address}"]
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject]
    subprocess.run([*made, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True, timeout=60)
    update_server_info(repository)
    forge = Forge("", certificate)
    server = ThreadingHTTPServer((address, 0), partial(_Handler, forge, directory=str(repository)))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    forge.url = f"https://{address}:{server.server_address[1]}/.git"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield forge
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def update_server_info(repository: Path) -> None:
    """What git's plain file protocol needs after every change of a branch (git-update-server-info(1))."""
    subprocess.run(["git", "-C", str(repository), "update-server-info"], check=True, capture_output=True, timeout=60)

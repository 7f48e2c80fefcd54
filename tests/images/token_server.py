"""The token service of a registry (https://distribution.github.io/distribution/spec/auth/jwt/), signing with openssl."""

from __future__ import annotations

import base64
import json
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

LOGIN = "builder:secret"


@dataclass
class TokenServer:
    """`granted` are the repositories that the login may use, for everything but the `denied` actions; `lifetime` in seconds.

    `asked` are the scopes of each request; a registry names the actions of one in any order, here they are sorted.
    """

    url: str = ""
    granted: set[str] = field(default_factory=set)
    denied: set[str] = field(default_factory=set)
    lifetime: int = 300
    asked: list[list[str]] = field(default_factory=list)
    certificate: Path = Path()
    key: Path = Path()

    @property
    def registry_options(self) -> str:
        options = {
            "realm": f"{self.url}/token",
            "service": "registry",
            "issuer": "tests",
            "rootcertbundle": str(self.certificate),
        }
        return json.dumps({"auth": {"token": options}})[1:-1]

    def token(self, scopes: list[str]) -> str:
        der = subprocess.run(
            ["openssl", "x509", "-in", str(self.certificate), "-outform", "DER"], check=True, capture_output=True
        ).stdout
        header = {"typ": "JWT", "alg": "RS256", "x5c": [base64.b64encode(der).decode()]}
        now = int(time.time())
        times = {"iat": now, "nbf": now - 10, "exp": now + self.lifetime}
        claims = {"iss": "tests", "sub": "builder", "aud": "registry", "jti": str(now), "access": self._access(scopes), **times}
        signed = f"{_encoded(json.dumps(header).encode())}.{_encoded(json.dumps(claims).encode())}"
        signature = subprocess.run(
            ["openssl", "dgst", "-sha256", "-sign", str(self.key)], input=signed.encode(), check=True, capture_output=True
        ).stdout
        return f"{signed}.{_encoded(signature)}"

    def _access(self, scopes: list[str]) -> list[dict[str, object]]:
        parts = [scope.split(":") for scope in scopes]
        allowed = ((k, n, [action for action in a.split(",") if action not in self.denied]) for k, n, a in parts)
        return [{"type": k, "name": n, "actions": actions} for k, n, actions in allowed if n in self.granted]


@contextmanager
def running_token_server(directory: Path) -> Iterator[TokenServer]:
    tokens = TokenServer(certificate=directory / "cert.pem", key=directory / "key.pem")
    subject = ["-subj", "/CN=tests", "-days", "2", "-keyout", str(tokens.key), "-out", str(tokens.certificate)]
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *subject], check=True, capture_output=True)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"tokens": tokens}))
    tokens.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield tokens
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    tokens: TokenServer

    def do_GET(self) -> None:
        if self.headers.get("authorization") != f"Basic {base64.b64encode(LOGIN.encode()).decode()}":
            self._answer(401, {})
            return
        scopes = parse_qs(urlsplit(self.path).query).get("scope", [])
        self.tokens.asked.append([_in_order(scope) for scope in scopes])
        self._answer(200, {"token": self.tokens.token(scopes), "expires_in": self.tokens.lifetime})

    def log_message(self, format: str, *arguments: object) -> None:
        """Nobody reads it."""

    def _answer(self, status: int, document: dict[str, object]) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _in_order(scope: str) -> str:
    subject, _, actions = scope.rpartition(":")
    return f"{subject}:{','.join(sorted(actions.split(',')))}"


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

"""A package index on loopback over wheels that a test makes, with a password, redirects and faults as it asks for."""

from __future__ import annotations

import hashlib
import threading
import zipfile
from base64 import b64encode
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO


def wheel(name: str, version: str, *requires: str, tag: str = "py3-none-any", text: str = "") -> tuple[str, bytes]:
    """File name and bytes of a wheel with one module, which says its `text`."""
    module, info = name.replace("-", "_"), f"{name.replace('-', '_')}-{version}.dist-info"
    needed = "".join(f"Requires-Dist: {other}\n" for other in requires)
    files = {
        f"{module}.py": f"text = {text or version!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needed}",
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: {tag}\n",
        f"{info}/RECORD": "",
    }
    out = BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for path, content in files.items():
            archive.writestr(zipfile.ZipInfo(path, (1980, 1, 2, 0, 0, 0)), content)
    return f"{module}-{version}-{tag}.whl", out.getvalue()


class PackageIndex(ThreadingHTTPServer):
    """`login` is `user:password`; `asked` are the paths that were asked for with the logins that came along.

    `redirects` maps a path's beginning to another server, `fault` is a status that every answer has.
    """

    def __init__(self, wheels: Sequence[tuple[str, bytes]], login: str = "") -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files = dict(wheels)
        self.login = login
        self.asked: list[tuple[str, str | None]] = []
        self.redirects: dict[str, str] = {}
        self.fault = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/simple"

    @property
    def logins(self) -> set[str | None]:
        return {login for _, login in self.asked}

    def hash_of(self, name: str) -> str:
        """The digest of the only wheel whose file name begins so."""
        (data,) = (data for file, data in self.files.items() if file.startswith(name))
        return f"sha256:{hashlib.sha256(data).hexdigest()}"


class _Handler(BaseHTTPRequestHandler):
    server: PackageIndex

    def do_GET(self) -> None:
        index, login = self.server, self.headers.get("authorization")
        index.asked.append((self.path, login))
        elsewhere = next((to for start, to in index.redirects.items() if self.path.startswith(start)), None)
        if index.fault:
            self._answer(index.fault)
        elif elsewhere:
            self._answer(302, headers={"location": elsewhere + self.path})
        elif index.login and login != f"Basic {b64encode(index.login.encode()).decode()}":
            self._answer(401, headers={"www-authenticate": "Basic realm=index"})
        else:
            found = self._page() if self.path.startswith("/simple/") else index.files.get(self.path.rpartition("/")[2])
            self._answer(200 if found else 404, found or b"")

    def do_HEAD(self) -> None:
        self.do_GET()

    def _page(self) -> bytes:
        name = self.path.split("/")[2].replace("-", "_")
        files = [file for file in self.server.files if file.partition("-")[0] == name]
        return "".join(f'<a href="/files/{f}#{self.server.hash_of(f).replace(":", "=")}">{f}</a>\n' for f in files).encode()

    def _answer(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        kind = "text/html" if self.path.startswith("/simple/") else "application/octet-stream"
        for name, value in {"content-type": kind, "content-length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        """Tests read what was asked instead."""


@contextmanager
def running_index(*wheels: tuple[str, bytes], login: str = "") -> Iterator[PackageIndex]:
    """An index until the block ends."""
    with PackageIndex(wheels, login) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()

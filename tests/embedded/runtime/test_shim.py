from __future__ import annotations

import ast
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from controller.embedded.runtime.process.ports import PortPool
from tests.embedded.runtime.cluster import SHIM, Cluster, eventually, get

pytestmark = pytest.mark.system

ONE_REQUEST = "from wsgiref.simple_server import *; s = make_server('', {port}, demo_app); s.handle_request()"
COMMAND = ["sh", "-c", "python -m wsgiref.simple_server"]


@contextmanager
def shim(command: str) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """The shim with a Python text as its command; `{port}` there is the backend's."""
    pool = PortPool()
    listen, backend = pool.reserve(), pool.reserve()
    python = [sys.executable, "-c", command.replace("{port}", str(backend))]
    arguments = [sys.executable, str(SHIM), "--host", "127.0.0.1", "--listen", str(listen), "--backend", str(backend)]
    with subprocess.Popen([*arguments, "--", *python], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            eventually(lambda: process.poll() is not None or accepts(listen))
            yield process, listen
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


def accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def test_it_is_understood_by_the_oldest_python_that_bases_have() -> None:
    assert ast.parse(SHIM.read_text(), feature_version=(3, 6))


def test_fifty_requests_in_a_row_are_all_answered() -> None:
    with shim(ONE_REQUEST) as (_, port):
        assert all("Hello world!" in get(port) for _ in range(50))


def test_eight_clients_at_once_are_all_answered() -> None:
    answers: list[str] = []
    with shim(ONE_REQUEST) as (_, port):
        clients = [threading.Thread(target=lambda: answers.extend(get(port) for _ in range(4))) for _ in range(8)]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
    assert len(answers) == 32


def test_connections_without_a_byte_never_reach_the_command_and_delay_nobody() -> None:
    with shim(ONE_REQUEST) as (_, port):
        silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(20)]
        try:
            assert "Hello world!" in get(port)
        finally:
            for connection in silent:
                connection.close()
        assert "Hello world!" in get(port)


def test_a_long_request_and_its_long_answer_arrive_whole() -> None:
    echo = (
        "import http.server\n"
        "class H(http.server.BaseHTTPRequestHandler):\n"
        "    def do_POST(self):\n"
        "        body = self.rfile.read(int(self.headers['Content-Length']))\n"
        "        self.send_response(200); self.send_header('Content-Length', str(len(body))); self.end_headers()\n"
        "        self.wfile.write(body)\n"
        "http.server.HTTPServer(('127.0.0.1', {port}), H).handle_request()\n"
    )
    body = bytes(range(256)) * 16384
    with shim(echo) as (_, port), urllib.request.urlopen(f"http://127.0.0.1:{port}/", body, timeout=60) as answer:
        assert answer.read() == body


def test_a_command_that_never_starts_ends_the_shim_with_its_code() -> None:
    with shim("raise SystemExit(7)") as (process, _):
        assert process.wait(60) == 7


def test_a_stop_serves_what_has_arrived(tmp_path: Path) -> None:
    slow = f"import pathlib, time\nwhile not pathlib.Path({str(tmp_path / 'go')!r}).exists(): time.sleep(0.01)\n{ONE_REQUEST}"
    with shim(slow) as (process, port), socket.create_connection(("127.0.0.1", port), 30) as client:
        client.sendall(b"GET / HTTP/1.0\r\n\r\n")
        process.send_signal(signal.SIGTERM)
        (tmp_path / "go").touch()
        answer = b"".join(iter(lambda: client.recv(65536), b""))
        assert process.wait(60) == 0
    assert b"Hello world!" in answer


def test_the_valohai_example_runs_in_several_replicas_and_versions_at_once(cluster: Cluster) -> None:
    cluster.start()
    command = ["python3", "/opt/pointsman/shim.py", "--listen", "8001", "--backend", "8000", "--", *COMMAND]
    cluster.run("first", command, port=8001, replicas=2)
    cluster.run("second", command, port=8001)
    for port in [*cluster.wait_ready("first", 2), *cluster.wait_ready("second")]:
        assert all("Hello world!" in get(port) for _ in range(3))
    assert all(pod["status"]["containerStatuses"][0]["restartCount"] == 0 for pod in cluster.pods("first"))

from __future__ import annotations

import hashlib
import resource
import socket
import sys
import threading

import pytest

from tests.embedded.gateway import cluster
from tests.embedded.gateway.servers import read_head, reply

pytestmark = pytest.mark.system
PATH = "/ruksi/mnist/americas/production/predict"
BLOCK = b"0123456789abcdef" * 4096
BLOCKS = 4096  # 256 MiB
GROWTH = 48 * 1024 * 1024


def peak() -> int:
    """Bytes of memory that this process ever held at once; the gateway runs in it."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def test_a_large_upload_and_download_keep_memory_flat(store, serve, client, gateway):
    def handle(request):
        if request.command == "GET":
            request.send_response(200)
            request.send_header("Content-Length", str(len(BLOCK) * BLOCKS))
            request.end_headers()
            for _ in range(BLOCKS):
                request.wfile.write(BLOCK)
            return
        digest, left = hashlib.sha256(), int(request.headers["Content-Length"])
        while left:
            data = request.rfile.read(min(left, len(BLOCK)))
            digest.update(data)
            left -= len(data)
        reply(request, digest.hexdigest().encode())

    serve("one", handle)
    store.apply(cluster.route(PATH, "one"))
    client.until(PATH, method="POST", body=b"x")
    before = peak()
    found = client.request(PATH, "POST", (BLOCK for _ in range(BLOCKS)), {"Content-Length": str(len(BLOCK) * BLOCKS)})
    expected = hashlib.sha256()
    for _ in range(BLOCKS):
        expected.update(BLOCK)
    assert found.body.decode() == expected.hexdigest()
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=60) as connection:
        connection.sendall(f"GET {PATH} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        taken = 0
        while more := connection.recv(1 << 20):
            taken += len(more)
    assert taken > len(BLOCK) * BLOCKS
    assert peak() - before < GROWTH


def test_a_client_that_reads_nothing_holds_the_endpoint_back(store, serve, client, gateway):
    sent: list[int] = []
    ended = threading.Event()

    def endless(connection):
        read_head(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000000\r\n\r\n")
        connection.settimeout(1.0)
        total = 0
        try:
            while True:
                total += connection.send(BLOCK)
        except TimeoutError:
            sent.append(total)
        except OSError:
            pass
        ended.set()

    serve("one", raw=endless)
    store.apply(cluster.route(PATH, "one"))
    client.until(PATH.rpartition("/")[0])
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=60) as connection:
        connection.sendall(f"GET {PATH} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert ended.wait(60)
    assert 0 < sent[0] < 32 * 1024 * 1024

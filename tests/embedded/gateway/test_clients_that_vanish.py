"""What a client that stops reading or goes away may cost: nothing for longer than a bounded time."""

from __future__ import annotations

import os
import socket
import stat
import struct
import threading
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from controller.embedded.gateway import Limits
from tests.embedded.gateway import cluster
from tests.embedded.gateway.conftest import LIMITS
from tests.embedded.gateway.servers import eventually, is_listed, read_head, reply

pytestmark = pytest.mark.system
PATH = "/ruksi/mnist/americas/production/predict"
REQUEST = f"GET {PATH} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()


@pytest.fixture
def limits() -> Limits:
    return replace(LIMITS, stalled=0.5, linger=0.3)


def open_sockets() -> int:
    """The sockets of this process, in which gateway, endpoint and client live."""
    return sum(is_socket(int(entry.name)) for entry in Path("/proc/self/fd").iterdir())


def is_socket(descriptor: int) -> bool:
    with suppress(OSError):
        return stat.S_ISSOCK(os.fstat(descriptor).st_mode)
    return False


def test_no_answer_waits_for_ever_for_a_client_that_reads_nothing(store, serve, client, gateway):
    """Of many sizes some end just in the gateway's own buffer, where nobody waits for the client any more."""
    sizes = iter(range(2_000_000, 5_000_000, 40_000))
    endpoint = serve("one", lambda request: reply(request, b"x" * next(sizes, 1)))
    store.apply(cluster.route(PATH, "one"))
    assert eventually(lambda: is_listed(gateway.port, PATH))
    before = open_sockets()
    with ExitStack() as stack:
        clients = [stack.enter_context(socket.create_connection(("127.0.0.1", gateway.port), timeout=60)) for _ in range(70)]
        for one in clients:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            one.sendall(REQUEST)
        assert eventually(lambda: endpoint.requests == len(clients))
        assert eventually(lambda: open_sockets() <= before + len(clients)), open_sockets() - before - len(clients)


@pytest.mark.parametrize("reset", [False, True])
def test_a_silent_stream_ends_with_its_client(store, serve, client, gateway, reset):
    ended = threading.Event()

    def stream(connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n")
        connection.settimeout(60)
        try:
            if not connection.recv(1):
                ended.set()
        except ConnectionResetError:
            ended.set()

    serve("one", raw=stream)
    store.apply(cluster.route(PATH, "one"))
    assert eventually(lambda: is_listed(gateway.port, PATH))
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=60) as connection:
        connection.sendall(REQUEST)
        assert b"200" in read_head(connection)
        if reset:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert ended.wait(60)

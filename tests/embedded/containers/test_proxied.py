from __future__ import annotations

import socket
import threading

import pytest

from controller.embedded.runtime.docker.proxied import is_refused

pytestmark = pytest.mark.contract


def test_only_a_connection_that_stays_open_leads_to_a_server() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert not is_refused(port, 5.0, 0.05)
        server.accept()[0].close()
        hanging_up = threading.Thread(target=hang_up, args=(server,))
        hanging_up.start()
        assert is_refused(port, 5.0, 60.0)
        hanging_up.join()
    assert is_refused(port, 5.0, 60.0)


def hang_up(server: socket.socket) -> None:
    server.accept()[0].close()


def test_a_connection_that_nobody_takes_is_refused() -> None:
    """The queue of one is full: the kernel lets the next one wait."""
    with socket.socket() as server, socket.socket() as first, socket.socket() as second:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        for client in (first, second):
            client.setblocking(False)
            client.connect_ex(server.getsockname())
        assert is_refused(server.getsockname()[1], 0.2, 0.05)

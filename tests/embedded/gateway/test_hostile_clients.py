from __future__ import annotations

import socket
from contextlib import ExitStack
from dataclasses import replace

import pytest

from tests.embedded.gateway import cluster
from tests.embedded.gateway.conftest import LIMITS
from tests.embedded.gateway.servers import read_head, talk

pytestmark = pytest.mark.system
PATH = "/ruksi/mnist/americas/production/predict"


@pytest.mark.parametrize(
    ("request_text", "status"),
    [
        ("POST {p} HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        ("POST {p} HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", 400),
        ("POST {p} HTTP/1.1\r\nHost: x\r\nContent-Length: +3\r\n\r\nabc", 400),
        ("POST {p} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
        ("POST {p} HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        ("GET {p} HTTP/1.1\r\nHost: x\r\nBad Header: 1\r\n\r\n", 400),
        ("GET {p} HTTP/1.1\r\nHost : x\r\n\r\n", 400),
        ("GET {p} HTTP/1.1\r\n\r\n", 400),
        ("GET {p} HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400),
        ("CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n", 405),
        ("GET ftp://x{p} HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        ("GET http://user@x{p} HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        ("\x16\x03\x01\r\n\r\n", 400),
        ("GET {p} HTTP/1.1\r\nHost: x\r\nX: " + "a" * 70_000 + "\r\n\r\n", 431),
        ("GET {p} HTTP/1.1\r\nHost: x\r\n" + "X: aaaaaaaa\r\n" * 6000 + "\r\n", 431),
    ],
)
def test_what_two_readers_could_read_differently_is_refused(store, serve, client, gateway, request_text, status):
    endpoint = serve("one")
    store.apply(cluster.route(PATH, "one"))
    client.until(PATH)
    before = endpoint.requests
    answer = talk(gateway.port, request_text.format(p=PATH).encode("latin-1"))
    assert answer.startswith(f"HTTP/1.1 {status} ".encode()), answer[:200]
    assert b"X-Pointsman-Gateway: " in answer
    assert b"Connection: close" in answer
    assert endpoint.requests == before


def test_an_absolute_target_is_served_under_its_own_host(store, serve, client, gateway):
    serve("one")
    store.apply(cluster.route(PATH, "one"))
    client.until(PATH)
    answer = talk(
        gateway.port, f"GET http://a.example{PATH}?x HTTP/1.1\r\nHost: b.example\r\nConnection: close\r\n\r\n".encode()
    )
    assert f'"path": "{PATH}?x"'.encode() in answer
    assert b'["Host", "a.example"]' in answer


@pytest.mark.parametrize("limits", [replace(LIMITS, header=0.3)])
def test_slow_headers_are_given_up(gateway):
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=60) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost")
        assert read_head(connection).startswith(b"HTTP/1.1 408")


@pytest.mark.parametrize("limits", [replace(LIMITS, stalled=0.3)])
def test_a_body_that_stalls_is_given_up(store, serve, client, gateway):
    serve("one")
    store.apply(cluster.route(PATH, "one"))
    client.until(PATH)
    answer = talk(gateway.port, f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc".encode())
    assert answer.startswith(b"HTTP/1.1 408")


@pytest.mark.parametrize("limits", [replace(LIMITS, idle=0.3)])
def test_an_idle_connection_is_closed_without_a_word(gateway):
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=60) as connection:
        assert connection.recv(100) == b""


@pytest.mark.parametrize("limits", [replace(LIMITS, connections=3)])
def test_more_connections_than_it_can_hold_are_told_so(gateway):
    with ExitStack() as stack:
        held = [stack.enter_context(socket.create_connection(("127.0.0.1", gateway.port), timeout=60)) for _ in range(5)]
        for connection in held:
            connection.sendall(b"GET / HTTP/1.1\r\nHost")
        assert [read_head(connection).split()[1] for connection in held[3:]] == [b"503"] * 2
        for connection in held[:3]:
            connection.sendall(b": x\r\n\r\n")
        assert [read_head(connection).split()[1] for connection in held[:3]] == [b"200"] * 3


def test_a_client_that_leaves_takes_nothing_with_it(store, serve, client, gateway):
    serve("one")
    store.apply(cluster.route(PATH, "one"))
    client.until(PATH)
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", gateway.port), timeout=60) as connection:
            connection.sendall(f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nabc".encode())
    assert client.until(PATH).status == 200

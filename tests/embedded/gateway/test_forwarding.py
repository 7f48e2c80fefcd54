from __future__ import annotations

import socket
import threading
from dataclasses import replace
from typing import Any

import pytest

from tests.embedded.gateway import cluster
from tests.embedded.gateway.conftest import LIMITS
from tests.embedded.gateway.servers import eventually, free_port, is_listed, read_body, read_head, reply, talk

pytestmark = pytest.mark.system
PATH = "/ruksi/mnist/americas/production/predict"


def headers_of(reply: Any) -> dict[str, str]:
    return {name.lower(): value for name, value in reply.json["headers"]}


def test_passes_the_path_and_the_query_on_unchanged(store, serve, client):
    serve("one")
    store.apply(cluster.route(PATH, "one"))
    client.until(PATH)
    assert client.get(PATH + "/a%2Fb//c%20d?x=1&y=%2F%3F").json["path"] == PATH + "/a%2Fb//c%20d?x=1&y=%2F%3F"
    assert client.get(PATH + "/").json["path"] == PATH + "/"


def test_tells_the_endpoint_where_it_is_and_the_client_what_answered(store, serve, client, gateway):
    serve("one")
    store.apply(cluster.route(PATH, "one", version="20181003.0"))
    found = client.until(PATH, headers={"X-Forwarded-For": "10.0.0.1", "X-Forwarded-Proto": "https", "X-VH-Prefix": "/other"})
    seen = headers_of(found)
    assert seen["x-vh-prefix"] == seen["x-forwarded-prefix"] == PATH
    assert seen["x-forwarded-for"] == "10.0.0.1, 127.0.0.1"
    assert seen["x-forwarded-proto"] == "http"
    assert seen["x-forwarded-host"] == seen["host"] == f"127.0.0.1:{gateway.port}"
    assert found.headers["x-pointsman-version"] == "20181003.0"
    assert found.headers["x-pointsman-workload"] == "one"
    assert "x-pointsman-gateway" not in found.headers


def test_keeps_hop_by_hop_headers_to_itself(store, serve, client):
    def handle(request):
        reply(request, b"{}", Connection="X-Private, keep-alive", X_Private="1", Keep_Alive="timeout=5", X_Public="2")

    serve("one")
    serve("two", handle)
    store.apply(cluster.route(PATH, "one"))
    store.apply(cluster.route(PATH + "-two", "two"))
    client.until(PATH)
    sent = {
        "Connection": "keep-alive, X-Hop, X-VH-Prefix",
        "X-Hop": "1",
        "TE": "trailers",
        "Proxy-Authorization": "x",
        "X-Stay": "1",
    }
    seen = headers_of(client.get(PATH, headers=sent))
    assert not {"x-hop", "te", "proxy-authorization", "keep-alive"} & set(seen)
    assert seen["x-stay"] == "1"
    assert seen["x-vh-prefix"] == PATH
    got = client.until(PATH + "-two").headers
    assert got["x-public"] == "2"
    assert not {"x-private", "keep-alive"} & set(got)


def test_an_underscore_does_not_forge_a_header(store, serve, client):
    serve("one")
    store.apply(cluster.route(PATH, "one"))
    client.until(PATH)
    seen = headers_of(client.get(PATH, headers={"X_VH_Prefix": "/forged", "X_Forwarded_For": "8.8.8.8", "api_key": "mine"}))
    assert "x_vh_prefix" not in seen
    assert "x_forwarded_for" not in seen
    assert seen["api_key"] == "mine"


@pytest.mark.parametrize("chunked", [False, True])
def test_sends_bodies_both_ways(store, serve, client, chunked):
    def handle(request):
        reply(request, read_body(request))

    serve("one", handle)
    store.apply(cluster.route(PATH, "one"))
    client.until(PATH)
    data = bytes(range(256)) * 4096
    body = iter([data[:1000], data[1000:]]) if chunked else data
    assert client.request(PATH, "POST", body).body == data


def test_head_and_bodiless_answers(store, serve, client):
    def handle(request):
        status = int(request.path.rpartition("/")[2])
        if status in (204, 304):
            request.send_response(status)
            request.end_headers()
        else:
            reply(request, b"12345", status)

    serve("one", handle)
    store.apply(cluster.route(PATH, "one"))
    client.until(PATH + "/200")
    head = client.request(PATH + "/200", "HEAD")
    assert (head.status, head.body, head.headers["content-length"]) == (200, b"", "5")
    assert client.get(PATH + "/204").status == 204
    assert client.get(PATH + "/304").status == 304
    assert client.get(PATH + "/500").body == b"12345"


def test_an_old_server_without_a_length_is_read_to_its_end(store, serve, client):
    def handle(request):
        request.send_response(200)
        request.end_headers()
        request.wfile.write(b"until the end")

    serve("one", handle, protocol="HTTP/1.0")
    store.apply(cluster.route(PATH, "one"))
    assert client.until(PATH).body == b"until the end"


def test_an_http_1_0_client_is_served(store, serve, client, gateway):
    serve("one")
    store.apply(cluster.route(PATH, "one"))
    client.until(PATH)
    answer = talk(gateway.port, f"GET {PATH} HTTP/1.0\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 200")
    assert b"transfer-encoding" not in answer.lower()


def test_pipelined_requests_are_answered_in_order(store, serve, client, gateway):
    serve("one")
    store.apply(cluster.route(PATH, "one"))
    client.until(PATH)
    post = f"POST {PATH}/1 HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"
    last = f"GET {PATH}/2 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    answer = talk(gateway.port, (post + last).encode())
    assert answer.count(b"HTTP/1.1 200") == 2
    assert answer.index(b"predict/1") < answer.index(b"predict/2")


def test_expect_continue_is_between_client_and_endpoint(store, serve, client, gateway):
    serve("one")
    store.apply(cluster.route(PATH, "one"))
    client.until(PATH)
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=60) as connection:
        head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\nConnection: close\r\n\r\n"
        connection.sendall(head.encode())
        assert read_head(connection).startswith(b"HTTP/1.1 100")
        connection.sendall(b"hello")
        assert read_head(connection).startswith(b"HTTP/1.1 200")


def test_events_arrive_as_they_are_sent(store, serve, client, gateway):
    go_on = threading.Event()

    def handle(request):
        request.send_response(200)
        request.send_header("Content-Type", "text/event-stream")
        request.send_header("Connection", "close")
        request.end_headers()
        request.wfile.write(b"data: 1\n\n")
        assert go_on.wait(60)
        request.wfile.write(b"data: 2\n\n")
        request.close_connection = True

    serve("one", handle)
    store.apply(cluster.route(PATH, "one"))
    go_on.set()
    client.until(PATH)
    go_on.clear()
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=60) as connection:
        connection.sendall(f"GET {PATH} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        seen = b""
        while b"data: 1" not in seen:
            seen += connection.recv(4096)
        go_on.set()
        while more := connection.recv(4096):
            seen += more
    assert b"data: 2" in seen


def test_an_upgrade_becomes_a_tunnel(store, serve, client, gateway):
    def echo(connection):
        head = read_head(connection)
        if b"upgrade: echo" not in head.lower():
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            return
        connection.sendall(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nfirst")
        while data := connection.recv(65536):
            connection.sendall(data)
        connection.sendall(b"last")

    serve("one", raw=echo)
    store.apply(cluster.route(PATH, "one"))
    client.until(PATH)
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=60) as connection:
        connection.sendall(f"GET {PATH} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nearly".encode())
        seen = b""
        while b"firstearly" not in seen:
            seen += connection.recv(65536)
        assert seen.startswith(b"HTTP/1.1 101")
        assert b"X-Pointsman-Workload: one" in seen
        connection.sendall(b"x" * 300_000)
        connection.shutdown(socket.SHUT_WR)
        rest = b""
        while more := connection.recv(65536):
            rest += more
    assert rest == b"x" * 300_000 + b"last"


def test_an_answer_may_come_before_the_body_is_there(store, serve, client, gateway):
    def refuse(connection):
        read_head(connection)
        connection.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig")
        while connection.recv(65536):
            pass

    serve("one", raw=refuse)
    store.apply(cluster.route(PATH, "one"))
    client.until(PATH, 413)
    answer = talk(gateway.port, f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: 90000000\r\n\r\n".encode() + b"x" * 1000)
    assert answer.startswith(b"HTTP/1.1 413")
    assert b"Connection: close" in answer
    assert answer.endswith(b"big")


def test_an_interim_answer_passes_and_103_does_not_end_the_wait(store, serve, client, gateway):
    def hints(connection):
        read_head(connection)
        connection.sendall(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    serve("one", raw=hints)
    store.apply(cluster.route(PATH, "one"))
    client.until(PATH)
    answer = talk(gateway.port, f"GET {PATH} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    assert answer.index(b"HTTP/1.1 103") < answer.index(b"HTTP/1.1 200")


def test_an_answer_with_two_framings_keeps_one(store, serve, client, gateway):
    def both(connection):
        read_head(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n")

    serve("one", raw=both)
    store.apply(cluster.route(PATH, "one"))
    found = client.until(PATH)
    assert found.body == b"ok"
    assert "content-length" not in found.headers


def test_an_endpoint_stops_hearing_from_a_client_that_left(store, serve, client, gateway):
    left = threading.Event()

    def stream(connection):
        read_head(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        try:
            while not left.wait(0.02):
                connection.sendall(b"data: x\n\n")
        except OSError:
            left.set()

    serve("one", raw=stream)
    store.apply(cluster.route(PATH, "one"))
    client.until(PATH.rpartition("/")[0])
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=60) as connection:
        connection.sendall(f"GET {PATH} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert b"200" in read_head(connection)
    assert left.wait(60)


def test_a_broken_answer_never_looks_whole(store, serve, client, gateway):
    def broken(connection):
        read_head(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")

    serve("one", raw=broken)
    store.apply(cluster.route(PATH, "one"))
    answer = eventually(
        lambda: (
            (found := talk(gateway.port, f"GET {PATH} HTTP/1.1\r\nHost: x\r\n\r\n".encode())) and b"hello" in found and found
        )
    )
    assert not answer.endswith(b"0\r\n\r\n")


def test_a_refusing_replica_is_passed_over(store, serve, client):
    serve("one")
    store.apply(cluster.endpoint_slice("one", free_port(), index=1))
    store.apply(cluster.route(PATH, "one"))
    client.until(PATH)
    assert [client.get(PATH).status for _ in range(10)] == [200] * 10


@pytest.mark.parametrize("limits", [replace(LIMITS, ready=60.0)])
def test_a_request_waits_for_a_replica_that_comes_soon(store, serve, gateway):
    store.apply(cluster.service("one"))
    store.apply(cluster.route(PATH, "one"))
    assert eventually(lambda: is_listed(gateway.port, PATH))
    answers: list[Any] = []
    waiting = threading.Thread(
        target=lambda: answers.append(
            talk(gateway.port, f"GET {PATH} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        )
    )
    waiting.start()
    assert eventually(lambda: [s for s in gateway.statistics().values() if s.in_flight])
    serve("one")
    waiting.join()
    assert answers[0].startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(("method", "times"), [("GET", 2), ("POST", 1)])
def test_only_a_request_that_changes_nothing_is_tried_again(store, serve, client, method, times):
    seen: list[bytes] = []

    def hang_up(connection):
        seen.append(read_head(connection))

    serve("one", raw=hang_up)
    store.apply(cluster.route(PATH, "one"))
    found = client.until(PATH, 502, method=method, body=b"abc" if method == "POST" else None)
    assert found.reason == "EndpointClosed"
    assert len([s for s in seen if s.startswith(method.encode())]) == times


def test_a_late_answer_is_given_up(store, serve, client):
    release = threading.Event()
    serve("one", lambda request: release.wait(60))
    store.apply(cluster.route(PATH, "one", timeout="200ms"))
    found = client.until(PATH, 504)
    release.set()
    assert found.reason == "EndpointTimeout"
    assert b"0.2 s" in found.body


def test_a_prefix_can_be_rewritten(store, serve, client):
    rewrite = {"type": "URLRewrite", "urlRewrite": {"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}}}
    serve("one")
    store.apply(cluster.route(PATH, "one", filters=(rewrite,)))
    assert client.until(PATH).json["path"] == "/"
    assert client.get(PATH + "/bar?x=%2F").json["path"] == "/bar?x=%2F"


def test_a_terminating_replica_finishes_but_gets_nothing_new(store, serve, client, gateway):
    release, entered = threading.Event(), threading.Event()

    def slow(request):
        entered.set()
        assert release.wait(60)
        reply(request, b"old")

    old = serve("one", slow)
    store.apply(cluster.route(PATH, "one"))
    answers: list[bytes] = []
    ask = f"GET {PATH} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()
    assert eventually(lambda: is_listed(gateway.port, PATH))
    waiting = threading.Thread(target=lambda: answers.append(talk(gateway.port, ask)))
    waiting.start()
    assert entered.wait(60)
    serve("one", lambda request: reply(request, b"new"), index=1)
    store.apply(cluster.endpoint_slice("one", old.port, ready=False, terminating=True))
    assert eventually(lambda: b'"readyReplicas": 1' in talk(gateway.port, b"GET / HTTP/1.0\r\n\r\n"))
    assert [client.get(PATH).body for _ in range(5)] == [b"new"] * 5
    release.set()
    waiting.join()
    assert answers[0].endswith(b"old")

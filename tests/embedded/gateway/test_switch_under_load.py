"""A route that moves back and forth under load loses nothing, and header and body of each answer belong together."""

from __future__ import annotations

import socket
import threading

import pytest

from controller.model.objects import key_of
from tests.embedded.gateway import cluster
from tests.embedded.gateway.client import Client
from tests.embedded.gateway.servers import eventually, reply

pytestmark = pytest.mark.system
PATH = "/ruksi/mnist/americas/production/predict"
FLIPS = 24


class Load:
    """Clients that ask without a pause: some keep their connection, some make a new one each time."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._done = threading.Event()
        self.faults: list[str] = []
        self.seen: set[str] = set()
        self._threads = [threading.Thread(target=self._run, args=(i < 8,)) for i in range(10)]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        for thread in self._threads:
            thread.join()

    def _run(self, keeps: bool) -> None:
        client = Client(self._port)
        try:
            while not self._done.is_set():
                if not keeps:
                    client.__exit__()
                    client = Client(self._port)
                self._ask(client)
        finally:
            client.__exit__()

    def _ask(self, client: Client) -> None:
        try:
            found = client.get(PATH)
        except OSError as error:
            self.faults.append(repr(error))
            return
        workload = found.headers.get("x-pointsman-workload", "")
        self.seen.add(workload)
        if found.status != 200 or found.body.decode() != workload:
            self.faults.append(f"{found.status} {workload} {found.body[:80]!r}")


def test_no_request_fails_and_no_answer_is_mixed(store, serve, client, gateway):
    for name in ("one", "two"):
        serve(name, lambda request, name=name: reply(request, name.encode()))
    route = cluster.route(PATH, "one")
    store.apply(route)
    client.until(PATH)
    with Load(gateway.port) as load:
        for flip in range(FLIPS):
            target = ("two", "one")[flip % 2]
            made = store.apply(cluster.route(PATH, target))
            generation = made["metadata"]["generation"]

            def in_effect(generation: int = generation) -> bool:
                parents = store.get(key_of(route))["status"].get("parents", [])
                return any(c["observedGeneration"] == generation for p in parents for c in p["conditions"])

            assert eventually(in_effect)
            assert client.get(PATH).body == target.encode()
    assert load.faults == []
    assert load.seen == {"one", "two"}


def _refuses(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=60):
            return False
    except ConnectionResetError:  # it was waiting to be accepted when the port closed
        return False
    except ConnectionRefusedError:
        return True


def test_stopping_finishes_what_is_in_flight(store, serve, client, gateway):
    entered, release = threading.Event(), threading.Event()

    def slow(request):
        entered.set()
        assert release.wait(60)
        reply(request, b"whole")

    serve("one", slow)
    store.apply(cluster.route(PATH, "one"))
    bodies: list[bytes] = []

    def ask() -> None:
        with Client(gateway.port) as own:
            bodies.append(own.until(PATH).body)

    asking = threading.Thread(target=ask)
    asking.start()
    assert entered.wait(60)
    stopping = threading.Thread(target=gateway.stop, args=(60.0,))
    stopping.start()
    assert eventually(lambda: _refuses(gateway.port))
    release.set()
    asking.join()
    stopping.join()
    assert bodies == [b"whole"]
    with pytest.raises(OSError, match="refused"), Client(gateway.port) as late:
        late.get("/")

"""One of several contenders holds a Lease, whatever their clocks say."""

from __future__ import annotations

import queue
import threading
import uuid
from contextlib import suppress

import pytest

from controller.cluster.lease import LeaderLease
from controller.model.errors import Conflict, Unavailable
from controller.model.identity import ObjectKey
from controller.model.objects import Object, at, put
from controller.model.ports import ClusterClient
from tests.embedded.gateway.servers import eventually

pytestmark = pytest.mark.contract


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def contender(client: ClusterClient, namespace: str, name: str, clock: Clock) -> LeaderLease:
    return LeaderLease(client, namespace, "leader", name, duration=15.0, clock=clock)


def test_the_first_one_holds_it_until_it_gives_it_back(client: ClusterClient, namespace: str, clock: Clock) -> None:
    one, two = (contender(client, namespace, name, clock) for name in ("one", "two"))
    assert one.try_once()
    assert not two.try_once()
    assert two.holder == "one"
    clock.now += 9
    assert one.try_once()
    one.release()
    assert not one.held
    assert two.try_once()
    lease = client.get(ObjectKey("Lease", namespace, "leader"))
    assert at(lease or {}, "spec", "holderIdentity") == "two"
    assert at(lease or {}, "spec", "leaseTransitions") == 2


def test_a_killed_holder_is_replaced_after_the_duration(client: ClusterClient, namespace: str, clock: Clock) -> None:
    one, two = (contender(client, namespace, name, clock) for name in ("one", "two"))
    assert one.try_once()
    assert not two.try_once()
    clock.now += 14.9
    assert not two.try_once()
    assert not one.held
    clock.now += 0.2
    assert two.try_once()
    assert not one.try_once()


def test_a_holder_that_renews_is_never_replaced(client: ClusterClient, namespace: str, clock: Clock) -> None:
    one, two = (contender(client, namespace, name, clock) for name in ("one", "two"))
    for _ in range(10):
        assert one.try_once()
        assert not two.try_once()
        clock.now += 8


def test_what_another_machines_clock_says_does_not_count(client: ClusterClient, namespace: str, clock: Clock) -> None:
    one, two = (contender(client, namespace, name, clock) for name in ("one", "two"))
    assert one.try_once()
    lease = client.get(ObjectKey("Lease", namespace, "leader"))
    assert lease is not None
    spec = {**lease["spec"], "renewTime": "1999-01-01T00:00:00.000000Z"}
    kept = {name: lease["metadata"][name] for name in ("name", "namespace")}
    client.apply({**put(lease, kept, "metadata"), "spec": spec}, manager="pointsman-lease")
    assert not two.try_once()
    clock.now += 14
    assert not two.try_once()
    clock.now += 2
    assert two.try_once()


def test_of_two_that_are_equally_fast_one_wins(client: ClusterClient, namespace: str, clock: Clock) -> None:
    contenders = [contender(client, namespace, f"number-{number}", clock) for number in range(6)]
    start = threading.Barrier(len(contenders))

    def attempt(lease: LeaderLease) -> None:
        start.wait()
        try:
            lease.try_once()
        except Conflict:
            return

    threads = [threading.Thread(target=attempt, args=(lease,)) for lease in contenders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(lease.held for lease in contenders) == 1


class Cut:
    """A cluster that can no longer be reached."""

    def __init__(self, client: ClusterClient) -> None:
        self._client = client
        self.reachable = True

    def get(self, key: ObjectKey) -> Object | None:
        if not self.reachable:
            raise Unavailable("cut off")
        return self._client.get(key)

    def __getattr__(self, name: str) -> object:
        return getattr(self._client, name)


def test_a_holder_that_is_cut_off_is_told_before_another_may_hold(client: ClusterClient, namespace: str) -> None:
    line = Cut(client)
    leads = threading.Event()
    lease = LeaderLease(line, namespace, "leader", uuid.uuid4().hex, duration=1.5)  # type: ignore[arg-type]
    lease.start(leads.set, leads.clear)
    try:
        assert leads.wait(60)
        line.reachable = False
        assert eventually(lambda: not leads.is_set())
        line.reachable = True
        assert leads.wait(60)
    finally:
        lease.stop()
    found = client.get(ObjectKey("Lease", namespace, "leader"))
    assert at(found or {}, "spec", "holderIdentity", default="") == ""


def test_one_that_waits_is_told_once_who_leads(client: ClusterClient, namespace: str, clock: Clock) -> None:
    first = contender(client, namespace, "first", clock)
    assert first.try_once()
    told: queue.Queue[str] = queue.Queue()
    lease = LeaderLease(client, namespace, "leader", uuid.uuid4().hex, duration=1.5)
    lease.start(lambda: told.put("itself"), lambda: None, told.put)
    try:
        assert told.get(timeout=60) == "first"
        with suppress(Conflict):  # unless its time was over just now, it renews
            first.try_once()
        assert told.get(timeout=60) == "itself"
    finally:
        lease.stop()
    assert told.empty()


def test_what_was_given_back_is_not_taken_again_by_an_answer_that_was_under_way(client: ClusterClient, namespace: str) -> None:
    asked, answered = threading.Event(), threading.Event()

    class Slow(Cut):
        def get(self, key: ObjectKey) -> Object | None:
            found = super().get(key)
            if threading.current_thread().name == "lease":
                asked.set()
                answered.wait(60)
            return found

    lease = LeaderLease(Slow(client), namespace, "leader", uuid.uuid4().hex, duration=1.5)  # type: ignore[arg-type]
    lease.start(lambda: None, lambda: None)
    assert asked.wait(60)
    threading.Timer(0.2, answered.set).start()
    lease.stop()
    assert client.get(ObjectKey("Lease", namespace, "leader")) is None

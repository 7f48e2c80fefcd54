"""What a target's cache knows after its watch was interrupted, and when a watch is behind our own writes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from controller.embedded.store import EmbeddedStore
from controller.engine.cache import TargetCache
from controller.engine.trimming import trimmed
from controller.model import labels
from controller.model.errors import Conflict, Forbidden, Stalled, Unavailable
from controller.model.identity import ObjectKey, UnitKey
from controller.model.objects import Object
from controller.model.ports import EventType, Labels, Listing, WatchEvent
from tests.embedded.gateway.servers import eventually

pytestmark = pytest.mark.contract

UNIT = UnitKey("acme", "mnist", "local")
KEY = ObjectKey("Service", UNIT.namespace, "predict")
SERVICE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {
        "name": KEY.name,
        "namespace": KEY.namespace,
        "labels": {labels.MANAGED_BY: "pointsman", labels.UNIT: UNIT.hash},
    },
    "spec": {"type": "ClusterIP"},
}


class Interrupted(EmbeddedStore):
    """A target whose watches hear nothing, and once `late` is set end as if the past had been forgotten, or raise `fault`."""

    fault: Exception | None = None

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.late = threading.Event()

    def watch(
        self, kind: str, resource_version: str, *, labels: Labels | None = None, timeout: float = 290.0
    ) -> Iterator[WatchEvent]:
        if self.late.is_set():
            return super().watch(kind, resource_version, labels=labels, timeout=timeout)
        return self._deaf()

    def _deaf(self) -> Iterator[WatchEvent]:
        self.late.wait(60.0)
        raise self.fault or Conflict("too old (410 Gone)")
        yield


@pytest.mark.parametrize("fault", [None, KeyError("a fault of ours")])
def test_an_object_that_went_while_nobody_watched_is_announced(tmp_path: Path, fault: Exception | None) -> None:
    changed: list[str] = []
    with Interrupted(tmp_path) as store:
        store.fault = fault
        store.apply(SERVICE)
        cache = TargetCache(store, changed.append)
        cache.start()
        assert cache.wait(60.0)
        assert cache.get(UNIT.hash, KEY)
        store.delete(KEY)
        changed.clear()
        store.late.set()
        assert eventually(lambda: cache.get(UNIT.hash, KEY) is None and changed == [UNIT.hash])
        assert cache.lost() == {KEY}
        cache.note(store.apply(SERVICE))
        assert cache.lost() == frozenset()
        cache.stop()


class Behind(EmbeddedStore):
    """A target whose watch still has to tell an older state of the Service."""

    stale: Object

    def watch(
        self, kind: str, resource_version: str, *, labels: Labels | None = None, timeout: float = 290.0
    ) -> Iterator[WatchEvent]:
        if kind == KEY.kind:
            yield WatchEvent(EventType.MODIFIED, self.stale)
            self.told.set()
        yield from super().watch(kind, resource_version, labels=labels, timeout=timeout)

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.told = threading.Event()


def test_an_older_event_does_not_undo_what_a_write_returned(tmp_path: Path) -> None:
    with Behind(tmp_path) as store:
        store.stale = store.apply(SERVICE)
        newer = store.apply({**SERVICE, "spec": {"type": "LoadBalancer"}})
        cache = TargetCache(store, lambda _: None)
        cache.start()
        assert store.told.wait(60.0)
        assert cache.get(UNIT.hash, KEY) == trimmed(newer)
        cache.stop()


class Unwatchable(EmbeddedStore):
    """A target that may be listed and not be watched."""

    error: Exception

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.lists = 0

    def list(self, kind: str, *, namespace: str | None = None, labels: Labels | None = None) -> Listing:
        self.lists += 1
        return super().list(kind, namespace=namespace, labels=labels)

    def watch(
        self, kind: str, resource_version: str, *, labels: Labels | None = None, timeout: float = 290.0
    ) -> Iterator[WatchEvent]:
        raise self.error


@pytest.mark.parametrize("error", [Forbidden("may not watch"), Conflict("too old (410 Gone)")])
def test_where_every_watch_fails_the_pauses_between_lists_grow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    asked: list[int] = []
    enough = threading.Event()

    def pause(attempt: int, most: float, spread: object) -> float:
        asked.append(attempt)
        if len(asked) == 5:
            enough.set()
        return 0.0 if len(asked) < 5 else 30.0

    monkeypatch.setattr("controller.engine.cache.backoff", pause)
    with Unwatchable(tmp_path) as store:
        store.error = error
        cache = TargetCache(store, lambda _: None, kinds=(KEY.kind,))
        cache.start()
        assert enough.wait(60.0)
        cache.stop()
    assert asked[-1] > asked[0]
    assert asked == sorted(asked)
    assert cache.errors()


class Meanwhile(EmbeddedStore):
    """A target to which something is written while an answer with the older state is still under way."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.meanwhile: Callable[[], None] = lambda: None

    def list(self, kind: str, *, namespace: str | None = None, labels: Labels | None = None) -> Listing:
        listing = super().list(kind, namespace=namespace, labels=labels)
        self.meanwhile()
        return listing


@pytest.mark.parametrize("how", ["created", "changed", "deleted"])
def test_what_we_write_while_everything_is_listed_is_not_undone_by_the_list(tmp_path: Path, how: str) -> None:
    changed: list[str] = []
    with Meanwhile(tmp_path) as store:
        if how != "created":
            store.apply(SERVICE)
        cache = TargetCache(store, changed.append, kinds=(KEY.kind,))

        def write() -> None:
            if how == "deleted":
                store.delete(KEY)
                cache.forget(KEY)
            else:
                cache.note(store.apply({**SERVICE, "spec": {"type": "LoadBalancer"}}))

        store.meanwhile = write
        cache._list(KEY.kind)
        found = cache.get(UNIT.hash, KEY)
        assert found == (None if how == "deleted" else trimmed(store.get(KEY) or {}))
        store.meanwhile = lambda: None
        cache._list(KEY.kind)
        assert cache.get(UNIT.hash, KEY) == found
        assert changed == []


class Lacking(EmbeddedStore):
    """A target that does not have one kind, or does not let it be listed, while `error` is set."""

    kind = "Middleware"
    error: Exception | None = None

    def list(self, kind: str, *, namespace: str | None = None, labels: Labels | None = None) -> Listing:
        if kind == self.kind and self.error:
            raise self.error
        return super().list(kind, namespace=namespace, labels=labels)


GUARDED = (KEY.kind, "Middleware", "SecurityPolicy")
NO_RIGHT = Forbidden("may not list middlewares", hint="give the role")


@pytest.mark.parametrize("error", [Stalled("the server does not know middlewares.traefik.io", hint="install them"), NO_RIGHT])
def test_what_only_access_needs_keeps_nobody_waiting_and_is_tried_on(tmp_path: Path, error: Stalled) -> None:
    told: list[bool] = []
    with Lacking(tmp_path) as store:
        store.error = error
        cache = TargetCache(store, lambda _: None, lambda: told.append(True), kinds=GUARDED)
        cache.start()
        assert cache.wait(60.0)
        assert eventually(lambda: bool(told))
        assert dict(cache.lacking()) == {"Middleware": error}
        assert [error.message in said for said in cache.errors()] == [True]
        assert cache.errors((KEY.kind,)) == ()
        assert not cache.follows("Middleware")
        assert cache.follows("SecurityPolicy")
        store.error = None
        assert eventually(lambda: cache.follows("Middleware"))
        assert (dict(cache.lacking()), cache.errors()) == ({}, ())
        cache.stop()


@pytest.mark.parametrize(("kind", "error"), [(KEY.kind, NO_RIGHT), ("Middleware", Unavailable("no answer"))])
def test_what_everybody_needs_or_may_be_there_after_all_is_waited_for(tmp_path: Path, kind: str, error: Exception) -> None:
    with Lacking(tmp_path) as store:
        store.kind, store.error = kind, error
        cache = TargetCache(store, lambda _: None, kinds=GUARDED)
        cache.start()
        assert eventually(lambda: bool(cache.errors()) and cache.follows("SecurityPolicy"))
        assert not cache.complete
        assert dict(cache.lacking()) == {}
        store.error = None
        assert cache.wait(60.0)
        cache.stop()


def test_a_right_that_is_taken_away_later_leaves_what_is_known(tmp_path: Path) -> None:
    with Lacking(tmp_path) as store:
        store.kind = "Middleware"
        cache = TargetCache(store, lambda _: None, kinds=GUARDED)
        for kind in GUARDED:
            cache._list(kind)
        assert not cache._does_without("Middleware", NO_RIGHT)
        assert cache.follows("Middleware")


def test_a_look_at_a_target_does_without_it_too(tmp_path: Path) -> None:
    with Lacking(tmp_path) as store:
        store.error = NO_RIGHT
        cache = TargetCache.listed(store, GUARDED)
        assert cache.complete
        assert dict(cache.lacking()) == {"Middleware": NO_RIGHT}
        store.kind = KEY.kind
        with pytest.raises(Forbidden):
            TargetCache.listed(store, GUARDED)


def test_what_we_delete_is_not_lost_and_what_a_look_misses_is(tmp_path: Path) -> None:
    with EmbeddedStore(tmp_path) as store:
        cache = TargetCache(store, lambda _: None, kinds=(KEY.kind,))
        cache.miss(KEY)
        assert cache.lost() == frozenset(), "it was never seen"
        for leaves, lost in ((cache.forget, frozenset[ObjectKey]()), (cache.miss, frozenset({KEY}))):
            cache.note(store.apply(SERVICE))
            store.delete(KEY)
            leaves(KEY)
            assert cache.lost() == lost
            cache._list(KEY.kind)
            assert cache.lost() == lost
        cache.forget(KEY)
        assert cache.lost() == frozenset()


def test_a_pod_that_goes_is_nobodys_loss(tmp_path: Path) -> None:
    with EmbeddedStore(tmp_path) as store:
        pod = ObjectKey("Pod", KEY.namespace, KEY.name)
        cache = TargetCache(store, lambda _: None, kinds=("Pod",))
        cache.note({**SERVICE, "kind": "Pod", "spec": {}})
        cache.miss(pod)
        assert cache.get(UNIT.hash, pod) is None
        assert cache.lost() == frozenset()

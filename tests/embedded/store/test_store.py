"""What the cluster's own parts use beyond the port: status, subscribers, a bounded history, Secrets."""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from controller.embedded.secrets import SecretFiles
from controller.embedded.store import EmbeddedStore
from controller.model.errors import Conflict, Stalled
from controller.model.identity import ObjectKey
from controller.model.ports import EventType, WatchEvent
from controller.model.secret import Secret

pytestmark = pytest.mark.contract

KEY = ObjectKey("Deployment", "test", "one")


def deployment(name: str = "one", **spec: Any) -> dict[str, Any]:
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": "test"}, "spec": spec}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EmbeddedStore]:
    with EmbeddedStore(tmp_path / "store", secrets=SecretFiles(tmp_path / "secrets"), history=10) as store:
        yield store


def test_status_is_replaced_and_keeps_the_generation(store: EmbeddedStore) -> None:
    store.apply(deployment(replicas=1))
    first = store.set_status(KEY, {"readyReplicas": 1, "replicas": 1})
    assert first["metadata"]["generation"] == 1
    assert store.set_status(KEY, {"replicas": 1, "readyReplicas": 1}) is first
    assert store.set_status(KEY, {"replicas": 1})["status"] == {"replicas": 1}
    assert store.apply(deployment(replicas=2))["status"] == {"replicas": 1}


def test_status_of_what_is_gone_is_a_conflict(store: EmbeddedStore) -> None:
    with pytest.raises(Conflict):
        store.set_status(KEY, {})


def test_subscribers_see_everything_in_order_and_may_write(store: EmbeddedStore) -> None:
    seen: list[WatchEvent] = []
    complete = threading.Event()

    def react(event: WatchEvent) -> None:
        seen.append(event)
        if event.type is EventType.ADDED:
            store.set_status(KEY, {"seen": True})
        if event.type is EventType.DELETED:
            complete.set()

    stop = store.subscribe(react)
    store.apply(deployment())
    store.apply(deployment())
    store.delete(KEY)
    assert complete.wait(60)
    versions = [int(event.object["metadata"]["resourceVersion"]) for event in seen]
    assert versions == sorted(set(versions))
    assert (seen[0].type, seen[-1].type) == (EventType.ADDED, EventType.DELETED)
    stop()
    store.apply(deployment())


def test_a_subscriber_that_fails_does_not_stop_the_others(store: EmbeddedStore) -> None:
    complete = threading.Event()

    def fail(event: WatchEvent) -> None:
        raise ValueError("a bug")

    store.subscribe(fail)
    store.subscribe(lambda event: complete.set())
    store.apply(deployment())
    assert complete.wait(60)


def test_a_watch_from_too_long_ago_is_gone(store: EmbeddedStore) -> None:
    start = store.list("Deployment").resource_version
    late = store.watch("Deployment", start, timeout=120)
    for replicas in range(30):
        recent = store.list("Deployment").resource_version
        store.apply(deployment(replicas=replicas))
    with pytest.raises(Conflict, match="410"):
        store.watch("Deployment", start)
    with pytest.raises(Conflict, match="410"):
        next(late)
    assert next(store.watch("Deployment", recent, timeout=120)).object["spec"]["replicas"] == 29


def test_the_history_of_one_kind_does_not_push_out_another(store: EmbeddedStore) -> None:
    start = store.list("Service").resource_version
    for replicas in range(30):
        store.apply(deployment(replicas=replicas))
    assert list(store.watch("Service", start, timeout=0.1)) == []


def test_a_caller_cannot_change_what_is_stored(store: EmbeddedStore) -> None:
    ours = deployment(template={"a": [1]})
    store.apply(ours)
    ours["spec"]["template"]["a"].append(2)
    assert (store.get(KEY) or {})["spec"]["template"]["a"] == [1]


@pytest.mark.parametrize(
    "containers",
    [[{"name": "a"}, {"name": "a"}], [{"image": "a"}], ["a"]],
    ids=["twice", "without key", "not a map"],
)
def test_lists_with_keys_need_them(store: EmbeddedStore, containers: list[Any]) -> None:
    with pytest.raises(Stalled, match="key"):
        store.apply(deployment(template={"spec": {"containers": containers}}))


def test_deep_nesting_is_refused(store: EmbeddedStore) -> None:
    deep: dict[str, Any] = {}
    for _ in range(100_000):
        deep = {"a": deep}
    with pytest.raises(Stalled, match="nested"):
        store.apply(deployment(template=deep))


def test_nulls_are_not_given(store: EmbeddedStore) -> None:
    assert store.apply(deployment(replicas=None, paused=True))["spec"] == {"paused": True}


def test_what_is_not_json_is_refused_and_harms_nobody(store: EmbeddedStore) -> None:
    with pytest.raises(Stalled, match="not JSON"):
        store.apply(deployment(replicas={1, 2}))
    assert store.apply(deployment())["metadata"]["generation"] == 1


def test_namespaces_are_never_deleted(store: EmbeddedStore) -> None:
    store.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "test"}})
    with pytest.raises(Stalled):
        store.delete(ObjectKey("Namespace", "", "test"))


def test_secrets_come_from_files_in_every_namespace(store: EmbeddedStore, tmp_path: Path) -> None:
    files = SecretFiles(tmp_path / "secrets")
    assert store.get(ObjectKey("Secret", "test", "api")) is None
    files.set("api", "token", Secret("hush"))
    for namespace in ("test", "other"):
        found = store.get(ObjectKey("Secret", namespace, "api"))
        assert found is not None
        assert base64.b64decode(found["data"]["token"]) == b"hush"
        assert found["metadata"]["namespace"] == namespace
    (listed,) = store.list("Secret", namespace="test").items
    assert listed["metadata"]["name"] == "api"


def test_secrets_cannot_be_written_through_the_cluster(store: EmbeddedStore) -> None:
    metadata = {"name": "api", "namespace": "test"}
    with pytest.raises(Stalled, match="files"):
        store.apply({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": {}})


def test_secret_files_are_private_and_removable(tmp_path: Path) -> None:
    files = SecretFiles(tmp_path / "secrets")
    files.set("api", "a", Secret("1"))
    files.set("api", ".htpasswd", Secret("2"))
    assert files.keys("api") == {"a", ".htpasswd"}
    assert (tmp_path / "secrets/api/a").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "secrets").stat().st_mode & 0o077 == 0
    files.delete("api", "a")
    assert files.names() == ("api",)
    files.delete("api")
    files.delete("api")
    assert files.names() == ()


@pytest.mark.parametrize(("name", "key"), [("../x", "a"), ("x", "../a"), ("x", ".."), ("X", "a"), ("x", "a/b"), ("", "a")])
def test_secret_names_cannot_leave_their_directory(tmp_path: Path, name: str, key: str) -> None:
    with pytest.raises(Stalled):
        SecretFiles(tmp_path).set(name, key, Secret("1"))

"""Compare-and-swap and preconditions: nobody overwrites what it has not seen."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from controller.model.errors import Conflict
from controller.model.objects import key_of, put
from controller.model.ports import ClusterClient

from .samples import config_map

pytestmark = pytest.mark.contract


def test_the_current_version_may_write(client: ClusterClient, namespace: str) -> None:
    first = client.apply(config_map(namespace, data={"a": "1"}))
    version = first["metadata"]["resourceVersion"]
    assert client.apply(config_map(namespace, data={"a": "2"}, resourceVersion=version))["data"] == {"a": "2"}


def test_an_old_version_may_not(client: ClusterClient, namespace: str) -> None:
    first = client.apply(config_map(namespace, data={"a": "1"}))
    client.apply(config_map(namespace, data={"a": "2"}))
    with pytest.raises(Conflict):
        client.apply(config_map(namespace, data={"a": "3"}, resourceVersion=first["metadata"]["resourceVersion"]))


def test_a_version_of_an_object_that_is_gone_may_not(client: ClusterClient, namespace: str) -> None:
    first = client.apply(config_map(namespace, data={"a": "1"}))
    client.delete(key_of(first))
    with pytest.raises(Conflict):
        client.apply(config_map(namespace, data={"a": "2"}, resourceVersion=first["metadata"]["resourceVersion"]))


def test_an_empty_version_creates_only(client: ClusterClient, namespace: str) -> None:
    client.apply(config_map(namespace, data={"a": "1"}, resourceVersion=""))
    with pytest.raises(Conflict):
        client.apply(config_map(namespace, data={"a": "1"}, resourceVersion=""))


def test_a_uid_creates_nothing_and_names_one_object_alone(client: ClusterClient, namespace: str) -> None:
    first = client.apply(config_map(namespace, data={"a": "1"}))
    uid = first["metadata"]["uid"]
    assert client.apply(config_map(namespace, data={"a": "2"}, uid=uid))["metadata"]["uid"] == uid
    client.delete(key_of(first))
    with pytest.raises(Conflict):
        client.apply(config_map(namespace, data={"a": "3"}, uid=uid))
    assert client.get(key_of(first)) is None
    client.apply(config_map(namespace, data={"a": "4"}))
    with pytest.raises(Conflict):
        client.apply(config_map(namespace, data={"a": "5"}, uid=uid))


def test_one_of_many_writers_wins(client: ClusterClient, namespace: str) -> None:
    first = client.apply(config_map(namespace, data={"winner": "nobody"}))

    def attempt(writer: int) -> bool:
        ours = config_map(namespace, data={"winner": str(writer)})
        try:
            client.apply(put(ours, first["metadata"]["resourceVersion"], "metadata", "resourceVersion"))
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        won = [writer for writer, success in enumerate(pool.map(attempt, range(8))) if success]
    stored = client.get(key_of(first))
    assert stored is not None
    assert [stored["data"]["winner"]] == [str(writer) for writer in won]


def test_delete_checks_uid_and_version(client: ClusterClient, namespace: str) -> None:
    first = client.apply(config_map(namespace, data={"a": "1"}))
    second = client.apply(config_map(namespace, data={"a": "2"}))
    key, uid = key_of(first), first["metadata"]["uid"]
    with pytest.raises(Conflict):
        client.delete(key, uid="00000000-0000-0000-0000-000000000000")
    with pytest.raises(Conflict):
        client.delete(key, uid=uid, resource_version=first["metadata"]["resourceVersion"])
    assert client.get(key) is not None
    client.delete(key, uid=uid, resource_version=second["metadata"]["resourceVersion"])
    assert client.get(key) is None


def test_what_is_not_there_is_deleted_already(client: ClusterClient, namespace: str) -> None:
    client.delete(key_of(config_map(namespace)), uid="00000000-0000-0000-0000-000000000000")


def test_an_object_made_again_is_another(client: ClusterClient, namespace: str) -> None:
    first = client.apply(config_map(namespace))
    client.delete(key_of(first))
    assert client.apply(config_map(namespace))["metadata"]["uid"] != first["metadata"]["uid"]

"""Lists by label and namespace, and watches that miss nothing after a list."""

from __future__ import annotations

from itertools import islice

import pytest

from controller.model.errors import Stalled
from controller.model.objects import key_of
from controller.model.ports import ClusterClient, EventType

from .samples import config_map

pytestmark = pytest.mark.contract


def test_a_list_is_limited_to_namespace_and_labels(client: ClusterClient, namespace: str) -> None:
    client.apply(config_map(namespace, "one", labels={"unit": namespace, "size": "s"}))
    client.apply(config_map(namespace, "two", labels={"unit": namespace, "size": "m"}))
    client.apply(config_map(namespace, "three"))
    client.apply(config_map("default", f"other-{namespace}", labels={"unit": namespace}))

    def names(namespace: str | None, **labels: str) -> list[str]:
        listing = client.list("ConfigMap", namespace=namespace, labels=labels)
        return [item["metadata"]["name"] for item in listing.items]

    assert {"one", "two", "three"} <= set(names(namespace))
    assert names(namespace, unit=namespace) == ["one", "two"]
    assert names(namespace, unit=namespace, size="m") == ["two"]
    assert names(namespace, unit="nobody") == []
    assert sorted(names(None, unit=namespace)) == sorted(["one", "two", f"other-{namespace}"])


def test_a_listed_object_says_what_it_is(client: ClusterClient, namespace: str) -> None:
    stored = client.apply(config_map(namespace, labels={"unit": namespace}))
    (listed,) = client.list("ConfigMap", labels={"unit": namespace}).items
    assert (listed["apiVersion"], key_of(listed)) == ("v1", key_of(stored))


def test_a_watch_tells_what_followed_the_list_in_order(client: ClusterClient, namespace: str) -> None:
    labels = {"unit": namespace}
    client.apply(config_map(namespace, "before", labels=labels))
    listing = client.list("ConfigMap", labels=labels)
    client.apply(config_map(namespace, "one", labels=labels))
    client.apply(config_map(namespace, "two", labels=labels))
    client.apply(config_map(namespace, "unrelated"))
    client.apply(config_map(namespace, "one", data={"a": "1"}, labels=labels))
    client.delete(key_of(config_map(namespace, "two")))
    events = list(islice(client.watch("ConfigMap", listing.resource_version, labels=labels, timeout=120), 4))
    assert [(event.type, event.object["metadata"]["name"]) for event in events] == [
        (EventType.ADDED, "one"),
        (EventType.ADDED, "two"),
        (EventType.MODIFIED, "one"),
        (EventType.DELETED, "two"),
    ]


def test_an_object_that_stops_matching_is_deleted_to_its_watchers(client: ClusterClient, namespace: str) -> None:
    labels = {"unit": namespace}
    client.apply(config_map(namespace, labels=labels))
    listing = client.list("ConfigMap", labels=labels)
    client.apply(config_map(namespace))
    client.apply(config_map(namespace, labels=labels))
    events = islice(client.watch("ConfigMap", listing.resource_version, labels=labels, timeout=120), 2)
    assert [event.type for event in events] == [EventType.DELETED, EventType.ADDED]


def test_a_watch_goes_on_from_any_event(client: ClusterClient, namespace: str) -> None:
    labels = {"unit": namespace}
    start = client.list("ConfigMap", labels=labels).resource_version
    for name in ("one", "two", "three"):
        client.apply(config_map(namespace, name, labels=labels))
    first = next(client.watch("ConfigMap", start, labels=labels, timeout=120))
    rest = islice(client.watch("ConfigMap", first.object["metadata"]["resourceVersion"], labels=labels, timeout=120), 2)
    assert [event.object["metadata"]["name"] for event in rest] == ["two", "three"]


def test_a_watch_ends_after_its_timeout(client: ClusterClient, namespace: str) -> None:
    listing = client.list("ConfigMap", labels={"unit": namespace})
    assert list(client.watch("ConfigMap", listing.resource_version, labels={"unit": namespace}, timeout=1)) == []


def test_what_changes_nothing_is_no_event(client: ClusterClient, namespace: str) -> None:
    labels = {"unit": namespace}
    client.apply(config_map(namespace, "one", labels=labels))
    start = client.list("ConfigMap", labels=labels).resource_version
    client.apply(config_map(namespace, "one", labels=labels))
    client.apply(config_map(namespace, "two", labels=labels))
    (event,) = islice(client.watch("ConfigMap", start, labels=labels, timeout=120), 1)
    assert event.object["metadata"]["name"] == "two"


def test_an_unknown_kind_cannot_be_listed(client: ClusterClient) -> None:
    with pytest.raises(Stalled):
        client.list("Unheard")

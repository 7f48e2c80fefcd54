"""A watch goes on through what breaks, and says so when it cannot."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from itertools import islice
from typing import Any

import pytest

from controller.cluster import watch as watching
from controller.cluster.client import KubernetesClient
from controller.model.errors import Conflict, Forbidden, Stalled, Unavailable
from controller.model.ports import WatchEvent

from .scripted import Scripted, dripping, error_event, event, reset, silent, status, stream, text

pytestmark = pytest.mark.faults

OPEN = stream(stay=True)


def versions(events: Iterator[WatchEvent], count: int) -> list[str]:
    return [event.object["metadata"]["resourceVersion"] for event in islice(events, count)]


def asked_from(server: Scripted) -> list[str]:
    return [asked.query["resourceVersion"] for asked in server.asked]


def test_it_asks_for_bookmarks_and_an_end(client: KubernetesClient, server: Scripted) -> None:
    server.script.append(stream(event("ADDED", 8), stay=True))
    next(client.watch("ConfigMap", "7", labels={"a": "b"}, timeout=100))
    (asked,) = server.asked
    expected = {"watch": "true", "allowWatchBookmarks": "true", "resourceVersion": "7", "labelSelector": "a=b"}
    assert expected.items() <= asked.query.items()
    assert 99 <= int(asked.query["timeoutSeconds"]) <= 100
    assert asked.path == "/api/v1/configmaps"


@pytest.mark.parametrize(
    "fault",
    [
        stream(cut=b'{"type":"MODIFIED","object":{"metadata":{"resourceV'),
        stream({"type": "ADDED"}),
        stream(error_event(500, "etcd leader changed")),
        status(500, "no"),
        status(429, "later", retry_after=0),
        text(502, "bad gateway"),
        reset,
    ],
    ids=["cut-line", "no-event", "error-event", "500", "429", "502", "reset"],
)
def test_it_goes_on_from_the_last_event(client: KubernetesClient, server: Scripted, fault: Any) -> None:
    server.script += [stream(event("ADDED", 8)), fault, stream(event("MODIFIED", 9), stay=True)]
    assert versions(client.watch("ConfigMap", "7"), 2) == ["8", "9"]
    assert asked_from(server) == ["7", "8", "8"]


def test_a_line_may_come_in_pieces(client: KubernetesClient, server: Scripted) -> None:
    def pieces(handler: Any, _asked: Any) -> None:
        handler.begin(200, Transfer_Encoding="chunked")
        handler.chunk(b'{"type":"ADDED","object":{"metadata":')
        handler.chunk(b'{"resourceVersion":"8"}}}\n{"type":"DELETED","object":{"metadata":{"resourceVersion":"9"}}}\n')
        handler.server.ending.wait()

    server.script.append(pieces)
    assert versions(client.watch("ConfigMap", "7"), 2) == ["8", "9"]


def test_a_bookmark_moves_the_next_connection_on(client: KubernetesClient, server: Scripted) -> None:
    server.script += [stream(event("ADDED", 8), event("BOOKMARK", 50)), stream(event("MODIFIED", 51), stay=True)]
    assert versions(client.watch("ConfigMap", "7"), 2) == ["8", "51"]
    assert asked_from(server) == ["7", "50"]


def test_a_later_watch_from_the_last_event_goes_on_from_the_bookmark(client: KubernetesClient, server: Scripted) -> None:
    server.script += [stream(event("ADDED", 8), event("BOOKMARK", 50)), status(410, "too old", "Expired"), OPEN]
    with pytest.raises(Conflict):
        list(client.watch("ConfigMap", "7"))
    server.script.clear()
    server.script.append(stream(event("MODIFIED", 51), stay=True))
    assert versions(client.watch("ConfigMap", "8"), 1) == ["51"]
    assert asked_from(server)[-1] == "50"


def test_bookmarks_of_other_labels_do_not_count(client: KubernetesClient, server: Scripted) -> None:
    server.script += [stream(event("BOOKMARK", 50)), status(410, "too old", "Expired")]
    with pytest.raises(Conflict):
        list(client.watch("ConfigMap", "7", labels={"a": "b"}))
    server.script.append(stream(event("ADDED", 8), stay=True))
    assert versions(client.watch("ConfigMap", "7"), 1) == ["8"]
    assert asked_from(server)[-1] == "7"


@pytest.mark.parametrize(
    "answer",
    [
        status(410, "too old resource version", "Expired"),
        stream(error_event(410, "too old resource version")),
        status(504, "Too large resource version", "Timeout", causes=[{"reason": "ResourceVersionTooLarge"}]),
    ],
    ids=["410", "410-event", "version-of-a-restored-cluster"],
)
def test_a_version_that_is_too_old_is_a_conflict(client: KubernetesClient, server: Scripted, answer: Any) -> None:
    server.script.append(answer)
    with pytest.raises(Conflict):
        next(client.watch("ConfigMap", "7"))


def test_what_needs_a_person_is_raised_at_once(client: KubernetesClient, server: Scripted) -> None:
    server.script += [status(403, "forbidden", "Forbidden"), text(404, "404 page not found")]
    with pytest.raises(Forbidden):
        next(client.watch("ConfigMap", "7"))
    with pytest.raises(Stalled, match="does not know"):
        next(client.watch("HTTPRoute", "7"))


def test_a_server_that_stays_broken_is_reported_after_few_tries(client: KubernetesClient, server: Scripted) -> None:
    server.always = status(500, "no")
    with pytest.raises(Unavailable):
        next(client.watch("ConfigMap", "7"))
    assert 2 <= len(server.asked) <= 6


def test_a_server_that_ends_every_watch_is_not_asked_without_pause(client: KubernetesClient, server: Scripted) -> None:
    server.always = stream()
    with pytest.raises(Unavailable, match="at once"):
        next(client.watch("ConfigMap", "7"))
    assert len(server.asked) <= 6


def test_a_connection_that_falls_silent_is_replaced(
    client: KubernetesClient, server: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "SILENCE", 0.2)
    later = iter([silent])

    def answer(handler: Any, asked: Any) -> None:
        more = stream(event("MODIFIED", 9), stay=True)
        step = stream(event("ADDED", 8), stay=True) if asked.query["resourceVersion"] == "7" else next(later, more)
        step(handler, asked)

    server.always = answer
    assert versions(client.watch("ConfigMap", "7"), 2) == ["8", "9"]
    assert asked_from(server).count("8") >= 2


def test_it_ends_when_its_time_is_over(client: KubernetesClient, server: Scripted) -> None:
    server.always = status(503, "no")
    assert list(client.watch("ConfigMap", "7", timeout=0.2)) == []


@pytest.mark.parametrize("state", [OPEN, dripping], ids=["quiet", "dripping"])
def test_closing_the_client_wakes_its_readers(client: KubernetesClient, server: Scripted, state: Any) -> None:
    asked, ended = threading.Event(), threading.Event()

    def answer(handler: Any, request: Any) -> None:
        asked.set()
        state(handler, request)

    def read() -> None:
        list(client.watch("ConfigMap", "7", timeout=250))
        ended.set()

    server.always = answer
    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    assert asked.wait(60)
    client.close()
    assert ended.wait(60)
    thread.join()

"""Lines of pods: none twice, none lost, through rotation and broken connections."""

from __future__ import annotations

from typing import Any

import pytest

from controller.cluster import logs
from controller.cluster.client import KubernetesClient
from controller.cluster.logs import LogQuestion, lines_of_pods, pod_lines
from controller.model.errors import Stalled, Unavailable

from .scripted import Scripted, Step, answer, reset, status

pytestmark = pytest.mark.contract

GONE = status(404, 'pods "p" not found', "NotFound", name="p", kind="pods")


def printed(*lines: str, broken: bool = False) -> Step:
    """A log: `1 text` is a line of the first second."""

    def step(handler: Any, _asked: Any) -> None:
        handler.begin(200, Transfer_Encoding="chunked")
        for line in lines:
            second, _, text = line.partition(" ")
            handler.chunk(f"2026-01-01T00:00:0{second}Z {text}\n".encode())
        if broken:
            handler.close_connection = True
        else:
            handler.wfile.write(b"0\r\n\r\n")

    return step


def pod(phase: str) -> Step:
    return answer({"kind": "Pod", "metadata": {"name": "p"}, "status": {"phase": phase}})


def texts(client: KubernetesClient, question: LogQuestion) -> list[str]:
    return [line.text for line in pod_lines(client, "home", "p", question)]


def test_what_is_asked_for(client: KubernetesClient, server: Scripted) -> None:
    server.script.append(printed("1 a"))
    assert texts(client, LogQuestion(container="endpoint", tail=5, since=60, previous=True)) == ["a"]
    (asked,) = server.asked
    assert asked.path == "/api/v1/namespaces/home/pods/p/log"
    expected = {"container": "endpoint", "tailLines": "5", "sinceSeconds": "60", "previous": "true", "timestamps": "true"}
    assert asked.query == expected


@pytest.mark.parametrize("broken", [False, True], ids=["rotated", "broken"])
def test_following_goes_on_where_it_was(client: KubernetesClient, server: Scripted, broken: bool) -> None:
    again = [] if broken else [pod("Running")]
    server.script += [printed("1 a", "2 b", "2 b", broken=broken), *again]
    server.script += [printed("2 b", "2 b", "2 c", "3 d"), pod("Succeeded")]
    if broken:
        server.script.insert(1, pod("Running"))
    assert texts(client, LogQuestion(follow=True, tail=10)) == ["a", "b", "b", "c", "d"]
    second = [asked.query for asked in server.asked if asked.path.endswith("/log")][1]
    assert second["sinceTime"] == "2026-01-01T00:00:02Z"
    assert "tailLines" not in second


def test_following_ends_with_the_pod(client: KubernetesClient, server: Scripted) -> None:
    server.script += [printed("1 a"), GONE]
    assert texts(client, LogQuestion(follow=True)) == ["a"]


def test_a_long_line_comes_in_parts(client: KubernetesClient, server: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "LONGEST_LINE", 100)
    monkeypatch.setattr(logs, "_BLOCK", 64)
    server.script.append(printed("1 " + "x" * 1000, "2 end"))
    found = texts(client, LogQuestion())
    assert len(found) > 5
    assert "".join(found[:-1]) == "x" * 1000
    assert found[-1] == "end"


def test_what_cannot_be_read_yet_is_told_in_the_servers_words(client: KubernetesClient, server: Scripted) -> None:
    server.script.append(status(400, 'container "c" in pod "p" is waiting to start: ErrImagePull', "BadRequest"))
    with pytest.raises(Stalled, match="ErrImagePull"):
        texts(client, LogQuestion())


def test_a_server_that_is_gone_is_reported(client: KubernetesClient, server: Scripted) -> None:
    server.always = reset
    with pytest.raises(Unavailable):
        texts(client, LogQuestion())


def test_one_pod_that_cannot_be_read_stops_no_other(client: KubernetesClient, server: Scripted) -> None:
    def by_pod(handler: Any, asked: Any) -> None:
        (GONE if "/bad/" in asked.path else printed("1 a"))(handler, asked)

    server.always = by_pod
    found = list(lines_of_pods(client, "home", ["good", "bad", "fine"], LogQuestion()))
    assert sorted(getattr(line, "pod", "error") for line in found) == ["error", "fine", "good"]


def test_a_reader_that_leaves_ends_the_rest(
    client: KubernetesClient, server: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "_ROOM", 1)
    server.always = printed(*(f"1 {number}" for number in range(50)))
    lines = lines_of_pods(client, "home", ["a", "b"], LogQuestion())
    next(lines)
    lines.close()  # type: ignore[attr-defined]

"""What pods print, of several at once, through whatever rotates or restarts in between."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import urllib3
from urllib3.exceptions import HTTPError, ReadTimeoutError

from controller.cluster.client import KubernetesClient
from controller.cluster.connection import raise_unreachable
from controller.cluster.exchange import Answer, Request, pause_before
from controller.cluster.paths import object_path
from controller.model.errors import PointsmanError, Unavailable
from controller.model.identity import ObjectKey
from controller.model.objects import at

LONGEST_LINE = 64 * 1024
"""Bytes after which a line is cut in two; containerd itself cuts at 16 KiB."""

_BLOCK = 65536
_SILENCE = 60.0
_TRIES = 5
_ROOM = 1000
_WAKE = 0.2


@dataclass(frozen=True, slots=True)
class PodLine:
    """One line without its end; `time` is RFC 3339 as the kubelet writes it."""

    pod: str
    time: str
    text: str


@dataclass(frozen=True, slots=True)
class LogQuestion:
    """Which lines: the last `tail`, those of the last `since` seconds, those of the container before its last restart."""

    container: str | None = None
    tail: int | None = None
    since: int | None = None
    previous: bool = False
    follow: bool = False

    def query(self) -> dict[str, str]:
        given = {"container": self.container, "tailLines": self.tail, "sinceSeconds": self.since}
        flags = {"previous": self.previous, "follow": self.follow, "timestamps": True}
        return {
            **{name: str(value) for name, value in given.items() if value is not None},
            **{name: "true" for name, flag in flags.items() if flag},
        }


def pod_lines(client: KubernetesClient, namespace: str, pod: str, question: LogQuestion) -> Iterator[PodLine]:
    """The lines of one pod's container, oldest first; with `follow` until the pod is gone or has finished.

    Raises what the client raises; `Stalled` with the server's reason where there is nothing to read yet.
    """
    position = _Position()
    failures = 0
    while True:
        try:
            for line in _read(client, namespace, pod, position.ask(question)):
                failures = 0
                if position.take(line):
                    yield line
        except Unavailable:
            failures += 1
            if not question.follow or failures >= _TRIES:
                raise
            client.exchange.closed.wait(pause_before(failures))
        if not question.follow or client.exchange.closed.is_set() or not _goes_on(client, namespace, pod):
            return
        client.exchange.closed.wait(_WAKE)


def lines_of_pods(
    client: KubernetesClient, namespace: str, pods: Sequence[str], question: LogQuestion
) -> Iterator[PodLine | PointsmanError]:
    """The lines of several pods as they come; a pod that cannot be read gives its error once, the others go on."""
    lines: queue.Queue[PodLine | PointsmanError | None] = queue.Queue(_ROOM)
    stop = threading.Event()

    def pump(pod: str) -> None:
        try:
            for line in pod_lines(client, namespace, pod, question):
                if not _put(lines, line, stop):
                    return
        except PointsmanError as error:
            _put(lines, error, stop)
        finally:
            _put(lines, None, stop)

    for pod in pods:
        threading.Thread(target=pump, args=(pod,), name=f"log-{pod}", daemon=True).start()
    try:
        yield from _until_all_ended(lines, len(pods))
    finally:
        stop.set()


def _until_all_ended(lines: queue.Queue[PodLine | PointsmanError | None], running: int) -> Iterator[PodLine | PointsmanError]:
    while running:
        line = lines.get()
        if line is None:
            running -= 1
        else:
            yield line


def _put(
    lines: queue.Queue[PodLine | PointsmanError | None], line: PodLine | PointsmanError | None, stop: threading.Event
) -> bool:
    """Whether somebody still reads. A reader that is slow slows the pump, never the memory."""
    while not stop.is_set():
        try:
            lines.put(line, timeout=_WAKE)
        except queue.Full:
            continue
        return True
    return False


@dataclass(slots=True)
class _Position:
    """How far the lines were read, so that a new connection neither repeats nor leaves out one.

    `sinceTime` counts whole seconds only, so what was read of the last second is skipped; several lines may have one time.
    """

    time: str = ""
    seen: int = 0
    skipped: int = 0

    def ask(self, question: LogQuestion) -> dict[str, str]:
        self.skipped = 0
        if not self.time:
            return question.query()
        again = replace(question, tail=None, since=None).query()
        return {**again, "sinceTime": self.time}

    def take(self, line: PodLine) -> bool:
        """Whether the line is new."""
        if line.time < self.time:
            return False
        if line.time == self.time:
            self.skipped += 1
            if self.skipped <= self.seen:
                return False
            self.seen += 1
            return True
        self.time, self.seen, self.skipped = line.time, 1, 1
        return True


def _read(client: KubernetesClient, namespace: str, pod: str, query: dict[str, str]) -> Iterator[PodLine]:
    key = ObjectKey("Pod", namespace, pod)
    request = Request("GET", f"{object_path(key)}/log", "get", "Pod", f"the log of {key}", query)
    silence = _SILENCE
    response = client.exchange.open(request, read_timeout=silence)
    with client.watches.opened(response):
        if response.status >= 300:
            body = client.exchange.read(response, time.monotonic() + silence)
            raise client.exchange.refused(request, Answer(response.status, body))
        for text in _lines(response, client.exchange.connection.server):
            moment, _, rest = text.partition(" ")
            yield PodLine(pod, moment, rest)


def _lines(response: urllib3.BaseHTTPResponse, server: str) -> Iterator[str]:
    """Lines as they come. A pod may be quiet for long, so silence only ends this connection."""
    rest = b""
    while True:
        try:
            block = response.read1(_BLOCK)
        except ReadTimeoutError:
            return
        except (HTTPError, OSError, ValueError) as error:
            raise_unreachable(server, error)
        if not block:
            break
        *whole, rest = (rest + block).split(b"\n")
        yield from (line.decode(errors="replace").removesuffix("\r") for line in whole)
        if len(rest) > LONGEST_LINE:
            yield rest.decode(errors="replace")
            rest = rest.partition(b" ")[0] + b" "  # the time, which stands only before the first part
    if rest:
        yield rest.decode(errors="replace")


def _goes_on(client: KubernetesClient, namespace: str, pod: str) -> bool:
    """Whether more may come: the kubelet ends a stream when it rotates the file, and when the container ends."""
    found = client.get(ObjectKey("Pod", namespace, pod))
    return found is not None and at(found, "status", "phase") in ("Pending", "Running")

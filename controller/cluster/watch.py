"""Watches: what changed after a resource version, over as many connections as that takes."""

from __future__ import annotations

import json
import math
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import urllib3
from urllib3.exceptions import HTTPError, ReadTimeoutError

from controller.cluster.connection import raise_unreachable
from controller.cluster.exchange import Answer, Exchange, Request, pause_before, retry_after
from controller.cluster.paths import collection_path
from controller.model.errors import Unavailable
from controller.model.ports import EventType, WatchEvent

SILENCE = 90.0
"""Seconds without a byte after which a connection counts as half-open: bookmarks come about once a minute."""

_TRIES = 5
_BLOCK = 65536
_LONGEST_LINE = 16 * 1024 * 1024
_SHORT_LIFE = 1.0
_ANSWER_TIME = 10.0


class Watches:
    """All open watches of a client, so that closing it ends them, and how far each had come without an event.

    The caller knows the version of the last event only. Where bookmarks went further, a watch from that version goes on
    from the bookmark, so that a quiet kind never becomes too old to watch.
    """

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self._open: set[urllib3.BaseHTTPResponse] = set()
        self._bookmarks: dict[tuple[str, str], tuple[str, str]] = {}
        self._lock = threading.Lock()

    def follow(self, kind: str, version: str, selector: str, timeout: float) -> Iterator[WatchEvent]:
        """See `ClusterClient.watch`. Raises `Unavailable` after several failures in a row."""
        request = Request("GET", collection_path(kind), "watch", kind, f"all {kind}s")
        seen, bookmark = self._bookmarks.get((kind, selector), ("", ""))
        start = bookmark if seen == version else version
        return _Watch(self, request, selector, version, start, time.monotonic() + timeout).events()

    def remember(self, kind: str, selector: str, version: str, bookmark: str) -> None:
        """Nothing that matches changed after `version` up to `bookmark`."""
        self._bookmarks[(kind, selector)] = (version, bookmark)

    @contextmanager
    def opened(self, response: urllib3.BaseHTTPResponse) -> Iterator[None]:
        """`close` interrupts whoever reads this answer."""
        with self._lock:
            self._open.add(response)
        try:
            if self.exchange.closed.is_set():
                raise Unavailable("the connection to the cluster has been closed")
            yield
        finally:
            with self._lock:
                self._open.discard(response)
            response.close()

    def close(self) -> None:
        """Wake every reader: each finds its connection at an end."""
        with self._lock:
            for response in self._open:
                with suppress(OSError, ValueError, RuntimeError):  # it has just ended by itself
                    response.shutdown()


@dataclass(slots=True)
class _Watch:
    """`version` is that of the last event which the caller got, `position` how far the stream had come."""

    watches: Watches
    request: Request
    selector: str
    version: str
    position: str
    deadline: float
    failures: int = field(default=0)

    def events(self) -> Iterator[WatchEvent]:
        while not self._over():
            try:
                yield from self._connection()
            except Unavailable as error:
                self.failures += 1
                if self._over():
                    return
                if self.failures >= _TRIES:
                    raise
                after = error.after if isinstance(error, _Throttled) else None
                pause = pause_before(self.failures, after)
                self.watches.exchange.closed.wait(min(pause, max(self.deadline - time.monotonic(), 0.0)))

    def _over(self) -> bool:
        return time.monotonic() >= self.deadline or self.watches.exchange.closed.is_set()

    def _connection(self) -> Iterator[WatchEvent]:
        """The events of one connection, until the server ends it."""
        begun, before = time.monotonic(), self.position
        response = self._connect()
        with self.watches.opened(response):
            self._check(response)
            for line in _lines(response, self.watches.exchange.connection.server, self.deadline):
                if (event := self._take(line)) is not None:
                    yield event
        if self.position == before and time.monotonic() - begun < _SHORT_LIFE and not self._over():
            raise Unavailable(f"{self.watches.exchange.connection.server} ends watches at once")

    def _connect(self) -> urllib3.BaseHTTPResponse:
        left = max(math.ceil(self.deadline - time.monotonic()), 1)
        query = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": self.position,
            "timeoutSeconds": str(left),
            **({"labelSelector": self.selector} if self.selector else {}),
        }
        asked = Request("GET", self.request.path, "watch", self.request.kind, self.request.what, query)
        return self.watches.exchange.open(asked, read_timeout=min(SILENCE, left + _ANSWER_TIME))

    def _check(self, response: urllib3.BaseHTTPResponse) -> None:
        if response.status < 300:
            return
        body = self.watches.exchange.read(response, time.monotonic() + _ANSWER_TIME)
        self._refuse(response.status, body, retry_after(response))

    def _take(self, line: bytes) -> WatchEvent | None:
        try:
            event: Mapping[str, Any] = json.loads(line)
            kind, obj = event["type"], event["object"]
        except (ValueError, KeyError, TypeError) as error:
            raise Unavailable(f"{self.watches.exchange.connection.server} sent a watch event that is none") from error
        if kind == "ERROR":
            self._refuse(int(obj.get("code") or 500), json.dumps(obj).encode(), None)
        self.failures = 0
        self.position = obj["metadata"]["resourceVersion"]
        if kind == "BOOKMARK":
            self.watches.remember(self.request.kind, self.selector, self.version, self.position)
            return None
        self.version = self.position
        return WatchEvent(EventType(kind), obj)

    def _refuse(self, code: int, body: bytes, after: float | None) -> None:
        error = self.watches.exchange.refused(self.request, Answer(code, body))
        if isinstance(error, Unavailable):
            raise _Throttled(error.message, after) from error
        raise error


class _Throttled(Unavailable):
    """The server said when to come again."""

    def __init__(self, message: str, after: float | None) -> None:
        super().__init__(message)
        self.after = after


def _lines(response: urllib3.BaseHTTPResponse, server: str, deadline: float) -> Iterator[bytes]:
    """Whole lines as they come; one that the end cut off is dropped. Raises `Unavailable` for a connection that broke."""
    rest: list[bytes] = []
    size = 0
    while True:
        try:
            block = response.read1(_BLOCK)
        except ReadTimeoutError as error:
            raise Unavailable(f"{server} has fallen silent") from error
        except (HTTPError, OSError, ValueError) as error:
            raise_unreachable(server, error)
        if not block:
            return
        *whole, tail = block.split(b"\n")
        for line in whole:
            yield b"".join((*rest, line))
            rest, size = [], 0
        rest.append(tail)
        size += len(tail)
        if size > _LONGEST_LINE:
            raise Unavailable(f"{server} sent a watch event of more than {_LONGEST_LINE} bytes")
        if time.monotonic() >= deadline + _ANSWER_TIME:
            return

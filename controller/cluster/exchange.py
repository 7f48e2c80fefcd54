"""Requests to one API server with a limit, a deadline and a few tries."""

from __future__ import annotations

import math
import random
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

import urllib3
from urllib3.exceptions import HTTPError

from controller.cluster.connection import Connection, raise_unreachable
from controller.cluster.errors import Attempt, may_pass, refusal
from controller.cluster.rate import RateLimit
from controller.model.backoff import backoff
from controller.model.errors import PointsmanError, Unavailable

DEADLINE = 30.0
"""Seconds for a request with all its tries."""
SILENCE = 20.0
"""Seconds without a byte after which an answer is given up."""
_TRIES = 4
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 5.0
_BLOCK = 65536


@dataclass(frozen=True, slots=True)
class Request:
    """`verb`, `kind` and `what` (an object or a collection) are for messages."""

    method: str
    path: str
    verb: str
    kind: str
    what: str
    query: Mapping[str, str] | None = None
    body: bytes | None = None

    @property
    def target(self) -> str:
        return f"{self.path}?{urlencode(self.query)}" if self.query else self.path


@dataclass(frozen=True, slots=True)
class Answer:
    """`repeated`: an earlier try may have been carried out although its answer never came."""

    code: int
    body: bytes
    repeated: bool = False


class Exchange:
    """Every request is idempotent, so what may pass by itself is tried again: with jitter, or when the server says."""

    def __init__(self, connection: Connection, limit: RateLimit, deadline: float = DEADLINE) -> None:
        self.connection = connection
        self._limit = limit
        self.deadline = deadline
        self.end = math.inf
        """Seconds of `time.monotonic` after which nothing more is asked: whoever waits for so long bounds every request."""
        self._closed = threading.Event()

    @property
    def closed(self) -> threading.Event:
        return self._closed

    def close(self) -> None:
        """Waits end at once; a request under way is finished."""
        self._closed.set()

    def ask(self, request: Request) -> Answer:
        """The server's last word, a refusal included. Raises `Unavailable` when there is none in time."""
        deadline = min(time.monotonic() + self.deadline, self.end)
        if time.monotonic() >= self.end:
            raise Unavailable(f"{self.connection.server} was not asked: the time is over")
        lost = False
        for attempt in range(1, _TRIES + 1):
            self._wait(self._limit.reserve())
            try:
                code, body, after = self._try(request, deadline)
            except Unavailable:
                lost, after = True, None
                if attempt == _TRIES or time.monotonic() >= deadline:
                    raise
            else:
                pause = pause_before(attempt, after)
                if not may_pass(code, body) or attempt == _TRIES or time.monotonic() + pause >= deadline:
                    return Answer(code, body, lost)
                lost = lost or code != 429
            self._wait(min(pause_before(attempt, after), deadline - time.monotonic()))
        raise AssertionError("the last try returns or raises")

    def open(self, request: Request, *, read_timeout: float) -> urllib3.BaseHTTPResponse:
        """An answer that is read as it comes. Neither limited nor tried again; `refused` reads what it says when it is no."""
        self._check_open()
        return self.connection.send(request.method, request.target, read_timeout=read_timeout)

    def refused(self, request: Request, answer: Answer) -> PointsmanError:
        """The error for an answer that is no success."""
        return refusal(answer.code, answer.body, Attempt(request.verb, request.kind, request.what, self.connection.server))

    def read(self, response: urllib3.BaseHTTPResponse, deadline: float) -> bytes:
        """A whole body, unless it comes too slowly. Raises `Unavailable`."""
        parts = []
        try:
            while block := response.read1(_BLOCK):
                parts.append(block)
                if time.monotonic() > deadline and response.length_remaining != 0:
                    raise Unavailable(f"{self.connection.server} answers too slowly")
        except (HTTPError, OSError) as error:
            response.close()
            raise_unreachable(self.connection.server, error)
        except Unavailable:
            response.close()
            raise
        response.release_conn()
        return b"".join(parts)

    def _try(self, request: Request, deadline: float) -> tuple[int, bytes, float | None]:
        silence = max(min(SILENCE, deadline - time.monotonic()), 0.1)
        response = self.connection.send(request.method, request.target, read_timeout=silence, body=request.body)
        return response.status, self.read(response, deadline), retry_after(response)

    def _wait(self, seconds: float) -> None:
        if seconds > 0:
            self._closed.wait(seconds)
        self._check_open()

    def _check_open(self) -> None:
        if self._closed.is_set():
            raise Unavailable("the connection to the cluster has been closed")


def pause_before(attempt: int, after: float | None = None) -> float:
    """Seconds before the next try: what the server asked for, else doubling with jitter. `attempt` counts from 1."""
    if after is not None:
        return after
    return backoff(attempt, _FIRST_PAUSE, _LONGEST_PAUSE, random.Random())  # noqa: S311  jitter, no secret


def retry_after(response: urllib3.BaseHTTPResponse) -> float | None:
    """The seconds of a Retry-After header; an API server sends whole ones (kubernetes.io, "API Priority and Fairness")."""
    text = response.headers.get("Retry-After", "")
    return float(text) if text.isdecimal() else None

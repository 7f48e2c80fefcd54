"""One registry over HTTP: connections, authorization, tries, and the meaning of what it answers."""

from __future__ import annotations

import json
import random
import re
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from socket import SHUT_RDWR, socket
from typing import Any
from weakref import WeakSet

import httpx2

import controller
from controller.images.registry.auth import Credentials
from controller.images.registry.bodies import TooLarge, document
from controller.images.registry.reference import Location
from controller.images.registry.tokens import Tokens
from controller.loading.printable import shown
from controller.model.backoff import backoff
from controller.model.errors import PointsmanError, Stalled, Unavailable

TRIES = 5
FIRST_PAUSE = 0.5
"""Seconds before the second try; each further one waits twice as long."""

_LONGEST_PAUSE = 30.0
_LONGEST_WAIT = 120.0
"""A registry that asks to be left alone for longer than this ends the build; the next pass tries again."""

_TICK = 0.2
_PATIENCE = 60.0
_CONNECT = 15.0
_TEMPORARY = (408, 425, 429, 500, 502, 503, 504)
_ASKS_TO_WAIT = (429, 503)
_LONGEST_MESSAGE = 400
_LIMIT = re.compile(r"(\d{1,9});w=(\d{1,9})")

Tick = Callable[[], None]
"""Called while something is waited for; raises to give up."""


class Refused(Stalled):
    """The registry refuses a request for good. `codes` are its own (`MANIFEST_BLOB_UNKNOWN`, ...)."""

    def __init__(self, message: str, status: int, codes: frozenset[str], *, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.codes = codes


@dataclass(frozen=True, slots=True)
class Call:
    """One request. `scope` is what its authorization is remembered by, `action` what it does, for a person.

    `content` yields the body, `size` bytes, anew at each try. `patience` is how many seconds the answer may be silent.
    """

    method: str
    url: str
    scope: str
    action: str
    headers: Mapping[str, str] = field(default_factory=dict)
    content: Callable[[], Iterator[bytes]] | None = None
    size: int = 0
    patience: float = _PATIENCE


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole response."""

    status: int
    headers: httpx2.Headers
    body: bytes = b""


class Session:
    """Requests to one registry, which `name` stands for in messages and credentials. Safe for threads; close it."""

    def __init__(
        self,
        location: Location,
        name: str,
        credentials: Credentials,
        *,
        verify: ssl.SSLContext | bool = True,
        first_pause: float = FIRST_PAUSE,
    ) -> None:
        self.location = location
        self.url = httpx2.URL(location.url)
        self.name = name
        self.first_pause = first_pause
        headers = {"user-agent": f"pointsman/{controller.__version__}", "accept-encoding": "identity"}
        self._client = httpx2.Client(verify=verify, timeout=_timeout(_PATIENCE), headers=headers)
        self._tokens = Tokens(name, credentials, self._client, plain=location.scheme == "http")
        self._sockets: WeakSet[socket] = WeakSet()

    def close(self) -> None:
        self._client.close()

    def interrupt(self) -> None:
        """End what is sent or waited for at this moment by any thread, as if the registry had hung up."""
        for connected in list(self._sockets):
            with suppress(OSError):
                # Not the method of a TLS socket: that one also takes away what its thread is working with.
                socket.shutdown(connected, SHUT_RDWR)

    def _notice(self, event: str, about: Mapping[str, Any]) -> None:
        """Remember each connection (https://www.python-httpx.org/advanced/extensions/#trace)."""
        if event in ("connection.connect_tcp.complete", "connection.start_tls.complete"):
            self._sockets.add(about["return_value"].get_extra_info("socket"))

    def call(self, call: Call, tick: Tick, tries: int = TRIES) -> Answer:
        """The answer to a request that may be repeated, after as many tries as it takes.

        Raises `Unavailable` when they are used up, `Forbidden` for 401 and 403, and what `tick` raises.
        """
        for attempt in range(1, tries + 1):
            try:
                with self.open(call, tick) as response:
                    return Answer(response.status_code, response.headers, document(response))
            except Busy as busy:
                self.rest(busy, attempt, tries, tick)
        raise AssertionError("a registry is asked at least once")

    def rest(self, error: Unavailable, attempt: int, tries: int, tick: Tick) -> None:
        """Wait before the next try, as long as the registry asks for. Raises the error where it was the last one."""
        after = error.after if isinstance(error, Busy) else None
        pause = backoff(attempt, self.first_pause, _LONGEST_PAUSE, random.Random()) if after is None else after  # noqa: S311  jitter
        if attempt >= tries or pause > _LONGEST_WAIT:
            raise error
        wait(pause, tick)

    @contextmanager
    def open(self, call: Call, tick: Tick) -> Iterator[httpx2.Response]:
        """One try; the body is still to be read. Raises `Unavailable` for statuses and faults that may pass."""
        tick()
        url = self.url.join(call.url)
        trusted = (url.scheme, url.netloc) == (self.url.scheme, self.url.netloc)
        header = self._tokens.header(call.scope) if trusted else None
        with self._errors(call):
            response = self._send(call, url, header)
            try:
                if response.status_code == 401 and trusted:
                    response.close()
                    again = self._tokens.answer(call.scope, response.headers.get("www-authenticate", ""), header)
                    response = self._send(call, url, again)
                self._check(call, response)
                yield response
            finally:
                response.close()

    def _send(self, call: Call, url: httpx2.URL, authorization: str | None) -> httpx2.Response:
        headers = dict(call.headers) | ({"authorization": authorization} if authorization else {})
        if call.content is not None:
            headers["content-length"] = str(call.size)
        body = call.content() if call.content is not None else None
        timeout = _timeout(call.patience)
        trace = {"trace": self._notice}
        request = self._client.build_request(call.method, url, headers=headers, content=body, timeout=timeout, extensions=trace)
        return self._client.send(request, stream=True, follow_redirects=call.method in ("GET", "HEAD"))

    def _check(self, call: Call, response: httpx2.Response) -> None:
        status = response.status_code
        if status in (401, 403):
            raise self._tokens.explain(call.action)
        if status in _TEMPORARY:
            text = f"{self.name} answers {status}, asked to {call.action}{_allowance(response.headers)}"
            raise Busy(text, _retry_after(response.headers), asked=status in _ASKS_TO_WAIT)
        if status == 413:
            message = f"{self.name} finds this too large (413), asked to {call.action}"
            raise Refused(message, status, frozenset(), hint="raise the body limit of the proxy in front of the registry")

    @contextmanager
    def _errors(self, call: Call) -> Iterator[None]:
        try:
            yield
        except TooLarge as error:
            raise Stalled(f"{self.name}, asked to {call.action}: {error}") from error
        except httpx2.HTTPError as error:
            words = str(error) or type(error).__name__
            raise Busy(f"{self.name} does not answer, asked to {call.action}: {words}") from error
        except httpx2.InvalidURL as error:
            raise Stalled(f"{self.name} leads to a malformed address: {error}") from error


def _timeout(patience: float) -> httpx2.Timeout:
    return httpx2.Timeout(_PATIENCE, connect=_CONNECT, read=patience)


class Busy(Unavailable):
    """Worth another try, after `after` seconds where the registry said so; `asked`: it wants to be left alone meanwhile."""

    def __init__(self, message: str, after: float | None = None, *, asked: bool = False) -> None:
        super().__init__(message, hint="it is tried again")
        self.after = after
        self.asked = asked


def wait(seconds: float, tick: Tick) -> None:
    """Let time pass; `tick` may end it."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        tick()
        time.sleep(min(left, _TICK))


def refusal(session: Session, call: Call, answer: Answer) -> PointsmanError:
    """An answer that was not expected, in the registry's own words."""
    codes, message = _complaint(answer.body)
    text = f"{session.name} answers {answer.status}, asked to {call.action}{f': {message}' if message else ''}"
    return Refused(text, answer.status, codes)


def _complaint(body: bytes) -> tuple[frozenset[str], str]:
    try:
        errors = json.loads(body)["errors"]
        codes = frozenset(str(error["code"]) for error in errors)
        words = "; ".join(f"{e['code']} {e.get('message', '')}".strip() for e in errors)
        return codes, shown(words[:_LONGEST_MESSAGE])
    except (ValueError, KeyError, TypeError):
        return frozenset(), ""


def _allowance(headers: httpx2.Headers) -> str:
    """What a registry says of its limit, as Docker Hub does: `100;w=21600` are 100 in 21,600 seconds."""
    limit = _LIMIT.fullmatch(headers.get("ratelimit-limit", ""))
    left = _LIMIT.fullmatch(headers.get("ratelimit-remaining", ""))
    if limit is None:
        return ""
    allowed = f": it allows {limit[1]} in {int(limit[2]) / 3600:g} h"
    return f"{allowed}, and {left[1]} are left" if left else allowed


def _retry_after(headers: httpx2.Headers) -> float | None:
    """Seconds to wait by the `Retry-After` header, which holds seconds or a date."""
    text = headers.get("retry-after", "").strip()
    if text.isdigit():
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (TypeError, ValueError):
        return None

"""Clients that ask one URL without a pause, over kept connections and new ones, and judge every answer."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

CLIENTS = 8
Judge = Callable[[Mapping[str, str], Mapping[str, Any]], str | None]
"""(headers in lower case, body) to what is wrong with the answer, or None."""


def version_agrees(headers: Mapping[str, str], said: Mapping[str, Any]) -> str | None:
    """The header names the version whose process has answered."""
    named = headers["x-pointsman-version"]
    return None if said["version"] == named and said["code"] == f"code of {named}" else f"{named}: {said}"


class Load:
    """A context manager; afterwards `faults` and `answers` say how it was.

    `urls` is one URL, or the same path at several gateways, which the clients share. Beside the `CLIENTS` that keep
    their connections, `fresh` clients open a new one for every request.
    """

    def __init__(self, urls: str | Sequence[str], judge: Judge, *, fresh: int = 0, pause: float = 0.01) -> None:
        self._addresses = [urlsplit(url) for url in ([urls] if isinstance(urls, str) else urls)]
        self._judge = judge
        self._pause = pause
        self._done = threading.Event()
        clients = CLIENTS + fresh
        self._threads = [threading.Thread(target=self._run, args=(n,), name=f"load-{n}") for n in range(clients)]
        self._started = 0.0
        self.faults: list[str] = []
        self.answers = [0] * clients

    def __enter__(self) -> Self:
        self._started = time.monotonic()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._done.set()
        for thread in self._threads:
            thread.join()

    def _run(self, number: int) -> None:
        address = self._addresses[number % len(self._addresses)]
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=60)
        try:
            while not self._done.wait(self._pause):
                fault = self._ask(connection, f"{address.path}?{address.query}" if address.query else address.path)
                self.answers[number] += 1
                if fault:
                    self.faults.append(f"after {time.monotonic() - self._started:.2f} s at {address.netloc}: {fault}")
                if fault or number >= CLIENTS:
                    connection.close()
        finally:
            connection.close()

    def _ask(self, connection: http.client.HTTPConnection, path: str) -> str | None:
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            body = answer.read()
        except (OSError, http.client.HTTPException) as error:
            return repr(error)
        if answer.status != 200:
            return f"{answer.status} {body[:300]!r}"
        return self._judge({name.lower(): value for name, value in answer.getheaders()}, json.loads(body))

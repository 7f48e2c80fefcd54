"""Clients that ask one URL without a pause over kept connections, and judge every answer."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Callable, Mapping
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
    """A context manager; afterwards `faults` and `answers` say how it was."""

    def __init__(self, url: str, judge: Judge) -> None:
        self._address = urlsplit(url)
        self._judge = judge
        self._done = threading.Event()
        self._threads = [threading.Thread(target=self._run, name=f"load-{n}") for n in range(CLIENTS)]
        self.faults: list[str] = []
        self.answers = [0] * CLIENTS

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._done.set()
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        number = self._threads.index(threading.current_thread())
        connection = http.client.HTTPConnection(self._address.hostname or "", self._address.port, timeout=20)
        try:
            while not self._done.wait(0.01):
                fault = self._ask(connection)
                self.answers[number] += 1
                if fault:
                    self.faults.append(fault)
                    connection.close()
        finally:
            connection.close()

    def _ask(self, connection: http.client.HTTPConnection) -> str | None:
        try:
            connection.request("GET", self._address.path)
            answer = connection.getresponse()
            body = answer.read()
        except (OSError, http.client.HTTPException) as error:
            return repr(error)
        if answer.status != 200:
            return f"{answer.status} {body[:300]!r}"
        return self._judge({name.lower(): value for name, value in answer.getheaders()}, json.loads(body))

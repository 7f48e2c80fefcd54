"""An HTTP client over http.client that keeps its connection and waits for a route to be in effect."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.embedded.gateway.servers import eventually


@dataclass(frozen=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def reason(self) -> str | None:
        return self.headers.get("x-pointsman-gateway")


class Client:
    def __init__(self, port: int) -> None:
        self.port = port
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def request(self, path: str, method: str = "GET", body: Any = None, headers: Mapping[str, str] | None = None) -> Reply:
        self._connection.request(method, path, body, dict(headers or {}))
        response = self._connection.getresponse()
        content = response.read()
        return Reply(response.status, {k.lower(): v for k, v in response.getheaders()}, content)

    get = request

    def until(self, path: str, status: int = 200, **options: Any) -> Reply:
        """Ask until the answer has this status: an event needs a moment to reach the gateway."""
        replies: list[Reply] = []

        def look() -> bool:
            replies.append(self.request(path, **options))
            return replies[-1].status == status

        assert eventually(look), f"{replies[-1].status} {replies[-1].body[:300]!r}"
        return replies[-1]

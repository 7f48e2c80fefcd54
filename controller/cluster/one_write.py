"""Connections that send a request's head and body in one write, as `http.client` does and urllib3 does not.

Over TLS each write is a record, a system call and a wake-up of the server: half of a small request's CPU time.
"""

from __future__ import annotations

from typing import Any

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection


def send_in_one_write(pool: urllib3.PoolManager) -> None:
    """Make all connections that the pool opens from now on such ones."""
    pool.pool_classes_by_scheme = {"http": _PlainPool, "https": _TlsPool}


class _OneWrite(HTTPConnection):
    """Gathers what one request sends. All bodies here are bytes that are in memory already."""

    _gathered: list[bytes] | None = None

    def request(self, *arguments: Any, **options: Any) -> None:
        self._gathered = []
        try:
            super().request(*arguments, **options)
            whole = b"".join(self._gathered)
        finally:
            self._gathered = None
        self.send(whole)

    def send(self, data: Any) -> None:
        if self._gathered is None:
            super().send(data)
        else:
            self._gathered.append(data)


class _OneWriteTls(_OneWrite, HTTPSConnection):
    pass


class _PlainPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _OneWrite


class _TlsPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _OneWriteTls

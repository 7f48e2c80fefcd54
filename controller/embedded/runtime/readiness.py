"""Readiness: one probe, and the memory that turns probes into ready and available."""

from __future__ import annotations

import http.client
import socket
from dataclasses import dataclass

from controller.embedded.runtime.specification import Probe

_FIRST, _LONGEST, _READY = 0.1, 1.0, 2.0
_GROWTH = 1.2
_FAILURES = 3


def probe(port: int, how: Probe) -> str | None:
    """None when the server answers, else why not, in words that follow "port 8000"."""
    return _probe_tcp(port, how.timeout) if how.path is None else _probe_http(port, how.path, how.timeout)


def _probe_tcp(port: int, timeout: float) -> str | None:
    try:
        socket.create_connection(("127.0.0.1", port), timeout).close()
    except OSError:
        return "nothing answers on port {port} (TCP)"
    return None


def _probe_http(port: int, path: str, timeout: float) -> str | None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request("GET", path, headers={"User-Agent": "pointsman-probe", "Connection": "close"})
        status = connection.getresponse().status
    except TimeoutError:
        return f"GET {path} on port {{port}} has no answer within {timeout:g} s"
    except (OSError, ValueError, http.client.HTTPException):  # a path that no request line can hold is a ValueError
        return f"nothing answers GET {path} on port {{port}}"
    finally:
        connection.close()
    return None if 200 <= status < 400 else f"GET {path} on port {{port}} answers {status}"


@dataclass(slots=True)
class Readiness:
    """Ready after one good probe, not ready after three bad ones in a row; available once ready for `min_ready` seconds."""

    min_ready: float
    ready_since: float | None = None
    problem: str = ""
    _failures: int = 0
    _interval: float = _FIRST

    @property
    def ready(self) -> bool:
        return self.ready_since is not None

    def available(self, now: float) -> bool:
        return self.ready_since is not None and now - self.ready_since >= self.min_ready

    def observe(self, problem: str | None, now: float) -> None:
        """Take in a probe's answer (None = good)."""
        if problem is None:
            self._failures = 0
            self.problem = ""
            self.ready_since = now if self.ready_since is None else self.ready_since
            return
        self._failures += 1
        if not self.ready or self._failures >= _FAILURES:
            self.problem = problem
            self.ready_since = None

    def pause(self, now: float) -> float:
        """Seconds until the next look: short at first, longer for a slow start, and in time for `available`."""
        if self.ready_since is None:
            self._interval = min(self._interval * _GROWTH, _LONGEST)
            return self._interval
        left = self.ready_since + self.min_ready - now
        return min(left, _READY) if left > 0 else _READY

"""An Engine for whoever needs one later, if at all."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING

from controller.dockerd.connection import connect

if TYPE_CHECKING:
    from docker import DockerClient


class LateEngine:
    """Connects at the first call and keeps the client; one that could not be had is tried again at the next call."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._lock = threading.Lock()
        self._client: DockerClient | None = None

    def __call__(self) -> DockerClient:
        """The client. Raises as `connect` does."""
        with self._lock:
            self._client = self._client or connect(self._environment)
            return self._client

    def close(self) -> None:
        """Close what was opened."""
        with self._lock:
            if self._client is not None:
                self._client.close()
            self._client = None

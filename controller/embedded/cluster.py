"""The embedded cluster whole: ownership, objects, runtime, gateway and socket, opened in order and closed the other way."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from controller.embedded.gateway import Gateway
from controller.embedded.lock import OwnerLock
from controller.embedded.runtime.host import Backoff
from controller.embedded.runtime.instance import OpenRuntime
from controller.embedded.runtime.runner import LEFTOVER, Runner
from controller.embedded.secrets import SecretFiles
from controller.embedded.server import StoreServer, Verb
from controller.embedded.state_directory import StateDirectory
from controller.embedded.store import EmbeddedStore
from controller.model.errors import Unavailable
from controller.model.objects import at

_LOG = logging.getLogger(__name__)
_LOOK = 5.0
"""Seconds that a command may need which opens the store to look at it; only an owner with a socket is there to stay."""

DEFAULT_PORT = 8080

Clean = Callable[[Collection[str], float], None]
"""Removes every image but these references that is older than a moment, in seconds since the epoch."""


class EmbeddedCluster:
    """A context manager: inside it, `store`, `runner`, `gateway` and `server` are open.

    `port` None means the gateway's port of the last run, else 8080 or the next free one; a given one must be free.
    `grace` seconds are what requests in flight, and then replicas, are given at the end. `clean` is called once, before
    anything runs.
    """

    store: EmbeddedStore
    runner: Runner
    gateway: Gateway
    server: StoreServer

    def __init__(
        self, directory: StateDirectory, runtime: OpenRuntime, *, host: str = "127.0.0.1", port: int | None = None,
        probe_token: str | None = None, drain: float = 1.0, grace: float = 10.0,
        backoff: Backoff | None = None, verbs: Mapping[str, Verb] | None = None, clean: Clean | None = None,
    ) -> None:  # fmt: skip
        self.directory = directory
        self.secrets = SecretFiles(directory.secrets)
        self.probe_token = probe_token or secrets.token_urlsafe(24)
        self._runtime = runtime
        self._host = host
        self._port = port
        self._drain = drain
        self._grace = grace
        self._backoff = backoff
        self._verbs = verbs
        self._clean = clean
        self._open = ExitStack()

    @property
    def url(self) -> str:
        """The gateway's, without a trailing slash."""
        return self.gateway.url

    def __enter__(self) -> Self:
        """Raises `Stalled` when another process owns the directory or the port is taken; nothing stays open then."""
        with ExitStack() as opened:
            serves = self.directory.create().socket.exists()
            opened.enter_context(OwnerLock(self.directory.lock, 0.0 if serves else _LOOK))
            self.store = opened.enter_context(EmbeddedStore(self.directory.store, secrets=self.secrets))
            self._remove_images()
            self.runner = self._start_runner(opened)
            self.gateway = self._start_gateway(opened)
            self.server = opened.enter_context(StoreServer(self.store, self.directory.socket, self._verbs))
            self._open = opened.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._open.close()

    def _remove_images(self) -> None:
        """Those that no Deployment names. Without any Deployment the store may have been lost: then they stay."""
        deployments = self.store.list("Deployment").items
        images = {at(d, "spec", "template", "spec", "containers", 0, "image", default="") for d in deployments}
        if self._clean is not None and images:
            self._clean(images, time.time() - LEFTOVER)

    def _start_runner(self, opened: ExitStack) -> Runner:
        runner = Runner(
            self.store,
            self._runtime,
            self.directory.run,
            logs=self.directory.logs,
            drain=self._drain,
            backoff=self._backoff,
        )
        opened.callback(runner.stop, self._grace)
        runner.start()
        return runner

    def _start_gateway(self, opened: ExitStack) -> Gateway:
        kept = _read_port(self.directory.gateway_port)
        gateway = Gateway(
            self.store,
            host=self._host,
            port=self._port or kept or DEFAULT_PORT,
            probe_token=self.probe_token,
            next_free=self._port is None,
        )
        opened.callback(gateway.stop, self._grace)
        gateway.start()
        if kept is not None and gateway.port != kept:
            _LOG.warning("the gateway answers on port %d now: %d is taken or was not asked for", gateway.port, kept)
        _write_port(self.directory.gateway_port, gateway.port)
        return gateway


def _read_port(file: Path) -> int | None:
    try:
        port = int(file.read_text())
    except (OSError, ValueError):
        return None
    return port if 0 < port < 65536 else None


def _write_port(file: Path, port: int) -> None:
    temporary = file.with_name(f".{file.name}")
    try:
        temporary.write_text(f"{port}\n")
        temporary.replace(file)
    except OSError as error:
        raise Unavailable(f"cannot write {file}: {error.strerror}") from error

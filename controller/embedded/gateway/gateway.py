"""The embedded cluster's gateway: HTTPRoutes on one port, served by an event loop in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any, Protocol

from controller.embedded.gateway.access import Access
from controller.embedded.gateway.dispatch import Dispatcher
from controller.embedded.gateway.forward import Forwarder
from controller.embedded.gateway.limits import Limits
from controller.embedded.gateway.server import Server, listen
from controller.embedded.gateway.statistics import RouteStatistics, Statistics
from controller.embedded.gateway.status import StatusWriter
from controller.embedded.gateway.unready import Unready
from controller.embedded.gateway.view import KINDS, ClusterView
from controller.model.identity import ObjectKey
from controller.model.objects import Object
from controller.model.ports import ClusterClient, EventType, WatchEvent


class GatewayStore(ClusterClient, Protocol):
    """The object store as the cluster's own parts see it."""

    def set_status(self, key: ObjectKey, status: Mapping[str, Any]) -> Object:
        """Replace the status of an object; nothing happens when it is equal."""
        ...

    def subscribe(self, callback: Callable[[WatchEvent], None]) -> Callable[[], None]:
        """Every later change, in order, from another thread; the answer ends it."""
        ...


class Gateway:
    """Start it once, stop it once. `port` is the one that was asked for or, with `next_free`, the first free one after it."""

    def __init__(
        self,
        store: GatewayStore,
        *,
        host: str = "127.0.0.1",
        port: int = 8080,
        probe_token: str,
        next_free: bool = True,
        limits: Limits | None = None,
    ) -> None:
        self._store = store
        self._host = host
        self._wanted_port = port
        self._next_free = next_free
        limits = limits or Limits()
        self._statistics = Statistics()
        self._writer = StatusWriter(store)
        self._view = ClusterView(self._writer.decide, self._statistics.forget)
        forwarder = Forwarder(self._view.backends, Unready(store), limits)
        dispatcher = Dispatcher(self._view, Access(store, probe_token), forwarder, self._statistics)
        self._server = Server(dispatcher, limits)
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._halt: asyncio.Event | None = None
        self._grace = 0.0
        self.port = port

    @property
    def url(self) -> str:
        """Where clients on this machine reach it; no trailing slash."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self.port}"

    def start(self) -> None:
        """Return when requests are served from a full table. Raises `Stalled` when no port can be had."""
        started: Future[None] = Future()
        self._thread = threading.Thread(target=self._run, args=(started,), name="gateway", daemon=True)
        self._thread.start()
        try:
            started.result()
        except BaseException:
            self._thread.join()
            self._thread = None
            raise
        self._writer.start()

    def stop(self, timeout: float = 10.0) -> None:
        """Accept no more, let what is in flight finish for `timeout` seconds, then close. A second call does nothing."""
        thread, self._thread = self._thread, None
        if thread is None or self._loop is None or self._halt is None:
            return
        self._grace = timeout
        self._loop.call_soon_threadsafe(self._halt.set)
        thread.join()
        self._writer.stop()

    def statistics(self) -> Mapping[ObjectKey, RouteStatistics]:
        """What each HTTPRoute did since the start."""
        return self._statistics.snapshot()

    def _run(self, started: Future[None]) -> None:
        try:
            asyncio.run(self._serve(started))
        except BaseException as error:
            if started.done():
                raise
            started.set_exception(error)

    async def _serve(self, started: Future[None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._halt = asyncio.Event()
        unsubscribe = self._store.subscribe(self._on_event)
        try:
            self._read_all()
            listening = listen(self._host, self._wanted_port, next_free=self._next_free)
            self.port = listening.getsockname()[1]
            self._server.start(listening)
            started.set_result(None)
            await self._halt.wait()
            await self._server.stop(self._grace)
        finally:
            unsubscribe()

    def _read_all(self) -> None:
        # before the port opens: a gateway that answers before it has its routes says 404 to everything
        for kind in KINDS:
            for item in self._store.list(kind).items:
                self._view.observe(WatchEvent(EventType.ADDED, item))

    def _on_event(self, event: WatchEvent) -> None:
        loop = self._loop
        if loop is not None and not loop.is_closed() and event.object["kind"] in KINDS:
            loop.call_soon_threadsafe(self._view.observe, event)

"""One replica's life: start, become ready, end, pause, start again, until it is told to stop. A thread each."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

from controller.embedded.runtime import sandbox
from controller.embedded.runtime.conflict import blocked_message, says_port_in_use
from controller.embedded.runtime.host import Host
from controller.embedded.runtime.launch import Identity, NotStarted, Running, launch, readopt, save
from controller.embedded.runtime.logs import tail
from controller.embedded.runtime.ports import is_free
from controller.embedded.runtime.readiness import Readiness, probe
from controller.embedded.runtime.search import PortSearch
from controller.embedded.runtime.specification import ReplicaSpec
from controller.embedded.runtime.status import ReplicaStatus, Termination
from controller.embedded.runtime.survivors import ReplicaRecord, remove_record

_LOG = logging.getLogger(__name__)
_SAY_WHY = 5.0
_PORT_RETRY = 0.3


class Replica:
    """`status` is a frozen value that may be read from any thread; `on_change` is called after it changed."""

    def __init__(
        self, spec: ReplicaSpec, identity: Identity, host: Host, on_change: Callable[[], None],
        survivor: ReplicaRecord | None = None,
    ) -> None:  # fmt: skip
        self.spec = spec
        self.identity = identity
        self.status = ReplicaStatus(identity.name, identity.created, restarts=survivor.restarts if survivor else 0)
        self.gone = False
        self._host = host
        self._on_change = on_change
        self._survivor = survivor
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._drain = 0.0
        self._grace = spec.grace
        self._pause = 0.0
        self._thread = threading.Thread(target=self._run, name=f"replica-{identity.name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, *, drain: float, grace: float | None = None) -> None:
        """Take it out of service, then end it: `drain` seconds later SIGTERM, `grace` seconds after that SIGKILL."""
        if not self._stop.is_set():
            self._drain = drain
        if grace is not None:
            self._drain, self._grace = drain, min(grace, self._grace)
        self._set(terminating=True)
        self._stop.set()
        self._wake.set()

    @property
    def stopping(self) -> bool:
        return self._stop.is_set()

    def join(self, timeout: float) -> bool:
        """Whether it has ended within this time."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        running = self._take_over()
        while not self._stop.is_set():
            running = running or self._launch()
            if running is None:
                self._stop.wait(self._host.retry)
                continue
            try:
                self._watch(running)
            except Exception:  # the endpoint runs on; who watches it must, too
                _LOG.exception("cannot look after %s", self.identity.name)
                self._stop.wait(self._host.retry)
            if running.process.ended and not self._stop.is_set():
                self._after_end(running)
                running = None
        self._end(running)

    def _launch(self) -> Running | None:
        restarts = self.status.restarts + (self.status.last is not None)
        try:
            running = launch(self._host, self.spec, self.identity, restarts, self._wake.set)
            self._set(restarts=restarts)
            return running
        except NotStarted as error:
            reason, message = error.reason, error.message
        except Exception as error:  # one odd Deployment must not end its thread in silence
            _LOG.exception("cannot start %s", self.identity.name)
            reason, message = "CreateContainerError", f"{type(error).__name__}: {error}"
        self._set(waiting=reason, message=message, running_since=None, port=None)
        return None

    def _take_over(self) -> Running | None:
        if self._survivor is None:
            return None
        running = readopt(self._survivor, self.identity.directory, self._wake.set)
        if running.port == self.spec.port:
            self._host.holders.hold(running.port, self.identity.name)
        return running

    def _watch(self, running: Running) -> None:
        """Until the instance ends or is to end."""
        self._set(waiting=None, message="", running_since=running.slot.since, port=running.port)
        taken_over = self._survivor is not None and self._survivor.pid == running.process.pid
        readiness = Readiness(0.0 if taken_over else self.spec.min_ready)
        search = PortSearch(self.spec.port)
        while not running.process.ended and not self._stop.is_set():
            problem = probe(running.port, self.spec.probe)
            if problem is not None and not search.follows_mapping(running):
                problem = self._use_declared_port(running)
            now = time.monotonic()
            readiness.observe(problem + search.hint if problem else None, now)
            self._publish(running, readiness, now)
            self._host.logs.rotate(self.identity.log)
            self._wake.wait(readiness.pause(now))
            self._wake.clear()

    def _use_declared_port(self, running: Running) -> str | None:
        """Its server listens on the declared port itself: from now on it holds that port."""
        _LOG.warning("%s does not follow the port mapping: one replica of one version at a time", self.identity.name)
        running.port = self.spec.port
        self._host.holders.hold(running.port, self.identity.name)
        restarts, pid = self.status.restarts, running.process.pid
        with suppress(OSError):
            save(self.spec, self.identity, running.slot, port=running.port, restarts=restarts, pid=pid)
        return probe(running.port, self.spec.probe)

    def _publish(self, running: Running, readiness: Readiness, now: float) -> None:
        message = "" if readiness.ready else self._why_not_ready(running, readiness.problem)
        since = readiness.ready_since
        ready_since = None if since is None else self.status.ready_since or time.time()
        self._set(port=running.port, ready_since=ready_since, available=readiness.available(now), message=message)

    def _why_not_ready(self, running: Running, problem: str) -> str:
        """Said in steps of five seconds, so that a slow start does not write its status all the time."""
        seconds = max(0.0, time.time() - running.slot.since) // _SAY_WHY * _SAY_WHY
        return f"running for {seconds:.0f} s but {problem.replace('{port}', str(self.spec.port))}" if seconds else ""

    def _after_end(self, running: Running) -> None:
        """Note how it ended, give its ports back, and pause before the next start."""
        now = time.time()
        text = tail(self.identity.log, start=running.slot.log_start)
        last = Termination(running.process.exit_code, text, running.slot.since, now)
        self._forget(running)
        self._pause = self._host.backoff.after(self._pause, now - running.slot.since)
        self._set(
            waiting="CrashLoopBackOff", message=f"{_ending(last)}; starts again in {self._pause:g} s", last=last,
            running_since=None, port=None, ready_since=None, available=False,
        )  # fmt: skip
        if says_port_in_use(text) and not is_free(self.spec.port):
            self._wait_for_port()
        else:
            self._stop.wait(self._pause)

    def _wait_for_port(self) -> None:
        """Until the port is free; after the longest pause it is tried anyway, in case it was not this port that it meant."""
        port = self.spec.port
        end = time.monotonic() + self._host.backoff.longest
        while not is_free(port) and time.monotonic() < end and not self._stop.is_set():
            self._set(waiting="PortInUse", message=blocked_message(port, self._host.holders.holder(port)))
            self._stop.wait(_PORT_RETRY)

    def _end(self, running: Running | None) -> None:
        if running is not None:
            running.process.wait(self._drain)
            running.process.terminate()
            if not running.process.wait(self._grace):
                running.process.kill()
            self._forget(running)
        sandbox.remove(self.identity.directory)
        self._set(running_since=None, port=None, ready_since=None, available=False)
        self.gone = True
        self._on_change()

    def _forget(self, running: Running) -> None:
        self._host.ports.release(running.slot.ports.values())
        self._host.holders.release(self.identity.name)
        with suppress(OSError):
            remove_record(self.identity.directory)

    def _set(self, **changes: Any) -> None:
        with self._lock:
            before, self.status = self.status, replace(self.status, **changes)
        if before != self.status:
            self._on_change()


def _ending(last: Termination) -> str:
    return "ended" if last.code is None else f"ended with code {last.code}"

"""One replica's life: start, become ready, end, pause, start again, until it is told to stop. A thread each."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from controller.embedded.runtime.host import Host
from controller.embedded.runtime.instance import Ending, Identity, Instance, NotStarted, Survivor
from controller.embedded.runtime.readiness import Readiness
from controller.embedded.runtime.specification import ReplicaSpec
from controller.embedded.runtime.status import ReplicaStatus, Termination

_LOG = logging.getLogger(__name__)
_SAY_WHY = 5.0
_PORT_RETRY = 0.3


class Replica:
    """`status` is a frozen value that may be read from any thread; `on_change` is called after it changed."""

    def __init__(
        self, spec: ReplicaSpec, identity: Identity, host: Host, on_change: Callable[[], None],
        survivor: Survivor | None = None,
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
            if running.ended and not self._stop.is_set():
                self._after_end(running)
                running = None
        self._end(running)

    def _launch(self) -> Instance | None:
        restarts = self.status.restarts + (self.status.last is not None)
        try:
            running = self._host.runtime.launch(self.spec, self.identity, restarts, self._wake.set)
            self._set(restarts=restarts)
            return running
        except NotStarted as error:
            reason, message = error.reason, error.message
        except Exception as error:  # one odd Deployment must not end its thread in silence
            _LOG.exception("cannot start %s", self.identity.name)
            reason, message = "CreateContainerError", f"{type(error).__name__}: {error}"
        self._set(waiting=reason, message=message, running_since=None, port=None)
        return None

    def _take_over(self) -> Instance | None:
        if self._survivor is None:
            return None
        return self._survivor.adopt(self.spec, self.identity, self._wake.set)

    def _watch(self, running: Instance) -> None:
        """Until the instance ends or is to end."""
        self._set(waiting=None, message="", running_since=running.since, port=running.port)
        readiness = Readiness(0.0 if running.adopted else self.spec.min_ready)
        while not running.ended and not self._stop.is_set():
            problem = running.look()
            now = time.monotonic()
            readiness.observe(problem, now)
            self._publish(running, readiness, now)
            self._wake.wait(readiness.pause(now))
            self._wake.clear()

    def _publish(self, running: Instance, readiness: Readiness, now: float) -> None:
        message = "" if readiness.ready else self._why_not_ready(running, readiness.problem)
        since = readiness.ready_since
        ready_since = None if since is None else self.status.ready_since or time.time()
        self._set(port=running.port, ready_since=ready_since, available=readiness.available(now), message=message)

    def _why_not_ready(self, running: Instance, problem: str) -> str:
        """Said in steps of five seconds, so that a slow start does not write its status all the time."""
        seconds = max(0.0, time.time() - running.since) // _SAY_WHY * _SAY_WHY
        return f"running for {seconds:.0f} s but {problem.replace('{port}', str(self.spec.port))}" if seconds else ""

    def _after_end(self, running: Instance) -> None:
        """Note how it ended, give back what it had, and pause before the next start."""
        now = time.time()
        ending = running.ending()
        last = Termination(ending.code, ending.words, running.since, now, ending.reason)
        running.forget()
        self._pause = self._host.backoff.after(self._pause, now - running.since)
        self._set(
            waiting="CrashLoopBackOff", message=f"{_told(ending)}; starts again in {self._pause:g} s", last=last,
            running_since=None, port=None, ready_since=None, available=False,
        )  # fmt: skip
        if self._host.runtime.obstacle(self.spec, ending.words):
            self._wait_for_port(ending.words)
        else:
            self._stop.wait(self._pause)

    def _wait_for_port(self, words: str) -> None:
        """Until the port is free; after the longest pause it is tried anyway, in case it was not this port that it meant."""
        end = time.monotonic() + self._host.backoff.longest
        while not self._stop.is_set() and time.monotonic() < end:
            message = self._host.runtime.obstacle(self.spec, words)
            if message is None:
                return
            self._set(waiting="PortInUse", message=message)
            self._stop.wait(_PORT_RETRY)

    def _end(self, running: Instance | None) -> None:
        if running is not None:
            running.wait(self._drain)
            running.terminate()
            if not running.wait(self._grace):
                running.kill()
            running.forget()
        self._host.runtime.discard(self.identity)
        self._set(running_since=None, port=None, ready_since=None, available=False)
        self.gone = True
        self._on_change()

    def _set(self, **changes: Any) -> None:
        with self._lock:
            before, self.status = self.status, replace(self.status, **changes)
        if before != self.status:
            self._on_change()


def _told(ending: Ending) -> str:
    return "ended" if ending.code is None else f"ended with code {ending.code}"

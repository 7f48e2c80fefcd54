"""One instance that is a container: where it answers, and how it is looked after and ended."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import datetime

from controller.embedded.runtime.docker.configuration import LOOPBACK, port_name
from controller.embedded.runtime.docker.containers import Containers, Facts, Gone
from controller.embedded.runtime.docker.listening import ListenerSearch
from controller.embedded.runtime.docker.output import OutputCopy
from controller.embedded.runtime.docker.proxied import is_refused
from controller.embedded.runtime.instance import Ending
from controller.embedded.runtime.readiness import probe
from controller.embedded.runtime.specification import ReplicaSpec
from controller.model.errors import PointsmanError
from controller.model.objects import at

_LOG = logging.getLogger(__name__)
_AGAIN = 1.0
_KILL = 30.0
"""Seconds in which the kernel ends what was killed."""

_SILENCE, _SHORT_SILENCE = 1.0, 0.05
"""Seconds for which a connection must stay open: at first enough for a proxy on a busy machine to hang up, so that nothing
counts as ready that does not listen yet; later short, as a server that takes one connection at a time waits meanwhile."""

_ENGINE_STOPPED = "the Docker Engine stopped and ended it"


class ContainerInstance:
    """`facts` describe it once it was started. `on_end` is called once, from a thread of its own."""

    def __init__(
        self, containers: Containers, spec: ReplicaSpec, facts: Facts, output: OutputCopy, *,
        remove: Callable[[], None], on_end: Callable[[], None], adopted: bool = False,
    ) -> None:  # fmt: skip
        self.since = _seconds(facts["State"]["StartedAt"])
        self.adopted = adopted
        self.port = published(facts, spec)
        self._containers = containers
        self._spec = spec
        self._id: str = facts["Id"]
        self._signal: str = at(facts, "Config", "StopSignal", default="") or "SIGTERM"
        self._output = output
        self._remove = remove
        self._on_end = on_end
        self._over = threading.Event()
        self._given_up = threading.Event()
        self._search = ListenerSearch(containers, self._id, spec)
        self._answered = False
        self._lost = ""
        self._last: Facts = {}
        output.begin()
        threading.Thread(target=self._watch, name=f"watch-{self._id[:12]}", daemon=True).start()

    @property
    def ended(self) -> bool:
        return self._over.is_set()

    def wait(self, seconds: float) -> bool:
        return self._over.wait(seconds)

    def look(self) -> str | None:
        """Whether its server answers through the published port."""
        problem = self._ask()
        self._answered = problem is None
        if problem is None:
            return None
        return self._lost or problem + self._search.hint()

    def terminate(self) -> None:
        """In the way that its image asks for, which for most is SIGTERM."""
        self._send(self._signal)

    def kill(self) -> None:
        self._send("SIGKILL")
        self._over.wait(_KILL if not self._lost else 0)

    def ending(self) -> Ending:
        words = self._output.tail()
        if not self._last:
            return Ending(None, words or "somebody removed its container")
        code = int(self._last.get("ExitCode", 0))
        if self._lost:
            return Ending(code, _ENGINE_STOPPED)
        return Ending(code, words, "OOMKilled" if self._last.get("OOMKilled") and code else None)

    def forget(self) -> None:
        self._given_up.set()
        self._remove()

    def _ask(self) -> str | None:
        how = self._spec.probe
        if how.path is not None:
            return probe(self.port, how)
        silence = _SHORT_SILENCE if self._answered else _SILENCE
        return "nothing answers on port {port} (TCP)" if is_refused(self.port, how.timeout, silence) else None

    def _send(self, signal: str) -> None:
        try:
            self._containers.signal(self._id, signal)
        except Gone:
            return
        except PointsmanError as error:
            _LOG.warning("%s was not sent to the container %s: %s", signal, self._id[:12], error)

    def _watch(self) -> None:
        while not self._given_up.is_set() and self._runs():
            continue
        self._output.finish()
        self._over.set()
        self._on_end()

    def _runs(self) -> bool:
        """Wait for its end, as long as the Engine answers; a lost one is asked again."""
        try:
            self._last = self._containers.facts(self._id)["State"]
            if self._last.get("Running"):
                self._lost = ""
                self._containers.wait(self._id)
        except Gone:
            self._last = {}
            return False
        except PointsmanError as error:
            self._lost = error.message
            self._given_up.wait(_AGAIN)
            return True
        return bool(self._last.get("Running"))


class FailedStart:
    """A container that could not be started: an instance that has ended already, so that the next try waits its time."""

    adopted = False
    port = 0
    ended = True

    def __init__(self, reason: str, remove: Callable[[], None]) -> None:
        self.since = time.time()
        self._reason = reason
        self._remove = remove

    def wait(self, seconds: float) -> bool:  # noqa: ARG002  (it is over)
        return True

    def look(self) -> str | None:
        return "it was not started"

    def terminate(self) -> None:
        """It does not run."""

    def kill(self) -> None:
        """It does not run."""

    def ending(self) -> Ending:
        return Ending(128, self._reason, "StartError")

    def forget(self) -> None:
        self._remove()


def published(facts: Facts, spec: ReplicaSpec) -> int:
    """The port of this machine that leads to the container's; 0 for one that does not run."""
    bindings = at(facts, "NetworkSettings", "Ports", port_name(spec)) or ()
    return next((int(b["HostPort"]) for b in bindings if b["HostIp"] == LOOPBACK), 0)


def _seconds(time: str) -> float:
    """Of `2026-01-02T03:04:05.000000006Z`."""
    return datetime.fromisoformat(time[:19] + "+00:00").timestamp()

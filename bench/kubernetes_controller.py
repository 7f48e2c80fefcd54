"""One side of `bench.kubernetes`: the real controller, measured from inside its process."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Collection
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from bench.declared_repository import deployment_name
from bench.kubernetes_target import kubernetes_profile
from bench.usage import peak_memory, processor_seconds
from controller.cluster.client import KubernetesClient
from controller.cluster.connection import connect
from controller.cluster.rooms import node_rooms
from controller.engine.controller import Controller
from controller.engine.grants import Granted
from controller.engine.passes import PassResult
from controller.engine.target_loop import TargetLoop
from controller.engine.targets import Target
from controller.model.identity import UnitKey
from controller.source.local import WorkingDirectory
from controller.state.history import FileHistory
from tests.engine.replicas import BuiltImages

_RATE = 10_000
"""Requests a second: the limit, 100 by default, is not what is measured."""
_PATIENCE = 600.0


class Resynced(Controller):
    """The controller of one target, whose regular look at every unit can be had at once."""

    def look_again(self) -> None:
        for unit in self.only.units():
            self.only.add(unit)

    @property
    def only(self) -> TargetLoop:
        (loop,) = self._loops()
        return loop


class Measured:
    """A controller that is started by the first question."""

    def __init__(self, controller: Resynced, units: Collection[UnitKey]) -> None:
        self._controller = controller
        self._units = units
        self._is_started = False

    def answer(self, commit: str, until: str) -> dict[str, float]:
        """Have it look for `commit`, or again at what it has, and wait for what is named; what that took."""
        loop = self._controller.only
        before = {unit: loop.result(unit) for unit in self._units}
        waiting = set(self._units)

        def is_over() -> bool:
            # Asking costs little: what it needs is counted as the controller's own.
            if until == "gone":
                return not any(loop.has(unit) for unit in waiting)
            news = ((unit, loop.result(unit)) for unit in tuple(waiting))
            waiting.difference_update(u for u, r in news if r and r is not before[u] and _has_nothing_to_do(r, commit))
            return not waiting

        started, cpu = time.perf_counter(), processor_seconds()
        self._begin(until)
        self._wait(is_over)
        return {"seconds": time.perf_counter() - started, "cpu": processor_seconds() - cpu, "memory": peak_memory()}

    def _begin(self, until: str) -> None:
        if not self._is_started:
            self._controller.start()
            self._is_started = True
        elif until == "passed over":
            self._controller.look_again()
        else:
            self._controller.wake()

    def _wait(self, done: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _PATIENCE
        while not done():
            if time.monotonic() > deadline:
                raise TimeoutError("too long")
            time.sleep(0.2)


def _has_nothing_to_do(result: PassResult, commit: str) -> bool:
    """Gates do not count: while the gateway rests, its silence about the routes is told after a minute."""
    return result.plan.is_empty and result.plan.revision.endswith(commit)


def main(settings: dict[str, Any]) -> None:
    with ExitStack() as opened:
        source = WorkingDirectory(Path(settings["repository"]), state=Path(settings["state"]), committed=True)
        opened.callback(source.close)
        connection = connect(kubeconfig=Path(settings["kubeconfig"]))
        client = opened.enter_context(KubernetesClient(connection, qps=_RATE, burst=_RATE))
        target = Target(kubernetes_profile(client), client, BuiltImages(), lambda: (), capacity=lambda: node_rooms(client))
        history = FileHistory(Path(settings["state"]) / "history")
        controller = Resynced([target], [Granted(source)], history, interval=3600.0, workers=settings["workers"])
        opened.callback(controller.stop)
        units = [UnitKey(*settings["project"], deployment_name(number)) for number in range(settings["units"])]
        measured = Measured(controller, units)
        for line in sys.stdin:
            print(json.dumps(measured.answer(**json.loads(line))), flush=True)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))

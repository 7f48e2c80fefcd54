"""One side of `bench.kubernetes`: the real controller, measured from inside its process."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from bench.kubernetes_target import kubernetes_profile
from bench.usage import peak_memory, processor_seconds
from controller.cluster.client import KubernetesClient
from controller.cluster.connection import connect
from controller.cluster.rooms import node_rooms
from controller.engine.controller import Controller
from controller.engine.grants import Granted
from controller.engine.passes import PassResult
from controller.engine.targets import Target
from controller.model.identity import UnitKey
from controller.source.local import WorkingDirectory
from controller.state.history import FileHistory
from tests.engine.replicas import BuiltImages

_RATE = 10_000
"""Requests a second: the limit, 100 by default, is not what is measured."""
_PATIENCE = 600.0


class Resynced(Controller):
    """The controller, whose regular look at every unit can be had at once."""

    def look_again(self) -> None:
        for loop in self._loops():
            for unit in loop.units():
                loop.add(unit)


class Measured:
    """A controller that is started by the first question."""

    def __init__(self, controller: Resynced, units: int) -> None:
        self._controller = controller
        self._units = units
        self._is_started = False

    def answer(self, commit: str, until: str) -> dict[str, float]:
        """Have it look for `commit`, or again at what it has, and wait for what is named; what that took."""
        before = {id(result): result for _, result in self._controller.results()}
        started, cpu = time.perf_counter(), processor_seconds()
        self._begin(until)
        if until == "gone":
            self._wait(lambda: not self._controller.units())
        else:
            settled: set[UnitKey] = set()
            self._wait(lambda: self._are_settled(commit, before if until == "passed over" else {}, settled))
        return {"seconds": time.perf_counter() - started, "cpu": processor_seconds() - cpu, "memory": peak_memory()}

    def _begin(self, until: str) -> None:
        if not self._is_started:
            self._controller.start()
            self._is_started = True
        elif until == "passed over":
            self._controller.look_again()
        else:
            self._controller.wake()

    def _are_settled(self, commit: str, before: Mapping[int, PassResult], settled: set[UnitKey]) -> bool:
        """Whether every unit was so once: the gateway rests, so that later ones wait for it again."""
        plans = [result.plan for _, result in self._controller.results() if id(result) not in before]
        settled |= {made.unit for made in plans if made.is_settled and made.revision.endswith(commit)}
        return len(settled) == self._units

    def _wait(self, done: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _PATIENCE
        while not done():
            if time.monotonic() > deadline:
                raise TimeoutError("too long")
            time.sleep(0.2)


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
        measured = Measured(controller, settings["units"])
        for line in sys.stdin:
            print(json.dumps(measured.answer(**json.loads(line))), flush=True)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))

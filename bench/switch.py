"""How long a commit takes that moves an alias to a warm version: from git's return to the first answer at the alias URL.

    python -m bench.switch [switches]

The steps are the controller's own (`controller.engine.steps`) and those of the source, in milliseconds since `git commit`
returned; each was reached by then.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import httpx2

from controller.embedded.state_directory import StateDirectory
from controller.engine.steps import Step
from controller.model.source import Snapshot
from controller.source.local import WorkingDirectory
from tests.system.assembly import assembled
from tests.system.repository import Repository, alias_file, path

SWITCHES = 30
NOTICED = "noticed"
ANSWERED = "first answer by the new version"
MOMENTS = {
    Step.SNAPSHOT_READ: "snapshot read",
    Step.PLANNED: "loaded and planned",
    Step.RECORD_WRITTEN: "record written",
    Step.ALIAS_ROUTE_APPLIED: "alias routes applied",
    Step.CONFIRM_ANSWERED: "confirmed by the data plane",
}


class Stopwatch:
    """Remembers when each moment was reached first since `start`, from the new commit's being noticed on."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._started = 0.0
        self._reached: dict[str, float] = {}

    def observe(self, step: Step) -> None:
        """A controller's `Observer`."""
        if step in MOMENTS:
            self.note(MOMENTS[step])

    def note(self, moment: str) -> None:
        now = time.perf_counter()
        with self._lock:
            # A pass before the new commit is noticed belongs to what came before it.
            if moment == NOTICED or NOTICED in self._reached:
                self._reached.setdefault(moment, now - self._started)

    def start(self) -> None:
        with self._lock:
            self._started = time.perf_counter()
            self._reached = {}

    def read(self) -> Mapping[str, float]:
        with self._lock:
            return dict(self._reached)


class Noticed(WorkingDirectory):
    """A source that says when it is asked for a snapshot: then its token was found to be new."""

    def __init__(self, repository: Repository, state: StateDirectory, watch: Stopwatch) -> None:
        super().__init__(repository.root, state=state.git, committed=True)
        self._watch = watch

    def snapshot(self, since: str | None = None) -> Snapshot:
        self._watch.note(NOTICED)
        return super().snapshot(since)


def measure(switches: int, directory: Path) -> dict[str, list[float]]:
    """Seconds per moment, one per switch."""
    repository = Repository.create(directory / "echo")
    repository.configure()
    repository.release("1.0")
    repository.release("2.0")
    watch = Stopwatch()
    found: dict[str, list[float]] = defaultdict(list)
    state = StateDirectory(directory / "state")
    with (
        assembled([Noticed(repository, state, watch)], state, watch.observe) as running,
        httpx2.Client(base_url=running.cluster.url, trust_env=False) as client,
    ):
        for warm in ("1.0", "2.0", "production"):
            until(client, warm, "1.0" if warm == "1.0" else "2.0")
        for number in range(switches):
            time.sleep(0.5)
            version = ("1.0", "2.0")[number % 2]
            repository.write(alias_file(), {"version": version})
            repository.git("commit", "--quiet", "--all", "--message", f"production to {version}")
            watch.start()
            until(client, "production", version)
            watch.note(ANSWERED)
            until_confirmed(watch)
            for moment, seconds in watch.read().items():
                found[moment].append(seconds)
    return found


def until(client: httpx2.Client, name: str, version: str) -> None:
    while client.get(path(name)).headers.get("X-Pointsman-Version") != version:
        time.sleep(0.002)


def until_confirmed(watch: Stopwatch) -> None:
    while MOMENTS[Step.CONFIRM_ANSWERED] not in watch.read():
        time.sleep(0.01)


def main(switches: int) -> None:
    with tempfile.TemporaryDirectory() as directory:
        found = measure(switches, Path(directory))
    print(f"{'milliseconds since git commit':34}{'median':>9}{'slowest':>9}")
    for name, seconds in sorted(found.items(), key=lambda item: statistics.median(item[1])):
        print(f"{name:34}{1000 * statistics.median(seconds):9.0f}{1000 * max(seconds):9.0f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else SWITCHES)

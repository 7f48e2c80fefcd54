"""How long a revert to a warm version takes on Kubernetes: from git's return to the first answer at every gateway replica.

    python -m bench.switch_kubernetes [switches]

Needs the test cluster, or the one that POINTSMAN_TEST_KUBECONFIG names. The controller polls the repository every second,
so half a second of the median is waiting for the next look; a webhook or a person would spare that.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

from tests.cluster.fixtures import found_cluster
from tests.cluster.stage import Stage, staged

SWITCHES = 20
_PAUSE = 4.0
"""Seconds between switches: the drain clock of the one before has started, and the poll falls on any moment."""


def measure(stage: Stage, switches: int) -> dict[str, list[float]]:
    """Seconds per gateway replica, one per switch."""
    found: dict[str, list[float]] = defaultdict(list)
    for number in range(switches):
        time.sleep(_PAUSE + number % 10 / 10)
        stage.repository.git("revert", "--no-edit", "HEAD")
        version = ("1.0", "2.0")[number % 2]
        started = time.perf_counter()
        waiting = set(range(len(stage.gateways)))
        while waiting:
            for gateway in sorted(waiting):
                if stage.get("production", gateway=gateway).headers.get("X-Pointsman-Version") == version:
                    found[f"gateway {gateway + 1}"].append(time.perf_counter() - started)
                    waiting.discard(gateway)
    return found


def main(switches: int) -> None:
    with tempfile.TemporaryDirectory() as directory, found_cluster() as testbed, staged(testbed, Path(directory)) as stage:
        stage.repository.release("1.0")
        stage.repository.release("2.0", alias=None)
        with stage.controller():
            stage.until("production", version="1.0")
            stage.until("2.0", version="2.0")
            stage.repository.move("2.0")
            stage.until("production", version="2.0")
            before = set(stage.pods())
            found = measure(stage, switches)
            new = set(stage.pods()) - before
    print(f"{'milliseconds since git revert':34}{'median':>9}{'slowest':>9}")
    for name, seconds in sorted(found.items()):
        print(f"{name:34}{1000 * statistics.median(seconds):9.0f}{1000 * max(seconds):9.0f}")
    print(f"{'new pods':34}{len(new):9}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else SWITCHES)

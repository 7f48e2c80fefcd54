"""What it takes to build and push a version image, beside the docker SDK and beside the bare sending of the same bytes.

    python -m bench.images [repeats] [model MiB]

All of it shares this machine: three distribution registries with the same base, one for each contestant, and a Docker Engine of
its own. Needs root, and Debian's docker-registry and docker.io. docs/benchmarks.md says what the columns mean.
"""

from __future__ import annotations

import os
import statistics
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.images_contest import Contest, Figures

REPEATS = 3
MODEL = 200
"""MiB of the one declared file."""


def main(arguments: Sequence[str]) -> None:
    repeats, model = [*map(int, arguments), *(REPEATS, MODEL)[len(arguments) :]]
    figures: Figures = {}
    before = os.getloadavg()[0]
    conditions = ""
    for _ in range(repeats):
        with TemporaryDirectory(prefix="bench-") as directory, ExitStack() as stack:
            contest = Contest(Path(directory), model, stack)
            contest.run(figures)
            conditions = contest.conditions
    loads = " to ".join(f"{load:.1f}" for load in (before, os.getloadavg()[0]))
    print(f"model {model} MiB, medians of {repeats}, {os.cpu_count()} cores, load {loads}, {conditions}")
    _print_table(figures, 0)
    _print_table(figures, 1)


def _print_table(figures: Figures, part: int) -> None:
    """Seconds (0) or processor seconds (1) of each contestant."""
    print("\n| | Pointsman | docker SDK | floor | SDK / Pointsman | Pointsman / floor |\n|---|---:|---:|---:|---:|---:|")
    for name, columns in figures.items():
        own, sdk, floor = (statistics.median(cost[part] for cost in columns[column]) for column in ("own", "sdk", "floor"))
        ratios = f"{_ratio(sdk, own)} | {_ratio(own, floor)}"
        print(f"| {name} | {_shown(own)} | {_shown(sdk)} | {_shown(floor)} | {ratios} |")


def _ratio(more: float, less: float) -> str:
    return f"{more / less:.{0 if more > 10 * less else 2}f}" if less else ""


def _shown(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1000:.{0 if seconds >= 0.1 else 1}f} ms"


if __name__ == "__main__":
    main(sys.argv[1:])

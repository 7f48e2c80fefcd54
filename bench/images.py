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
    conditions = ""
    for _ in range(repeats):
        with TemporaryDirectory(prefix="bench-") as directory, ExitStack() as stack:
            contest = Contest(Path(directory), model, stack)
            contest.run(figures)
            conditions = contest.conditions
    print(f"model {model} MiB, medians of {repeats}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {conditions}")
    _print_table(figures)


def _print_table(figures: Figures) -> None:
    print("| | Pointsman | docker SDK | floor | SDK / Pointsman | Pointsman / floor |\n|---|---:|---:|---:|---:|---:|")
    for name, columns in figures.items():
        own, sdk, floor = (statistics.median(columns[column]) for column in ("own", "sdk", "floor"))
        print(f"| {name} | {_shown(own)} | {_shown(sdk)} | {_shown(floor)} | {sdk / own:.1f} | {own / floor:.2f} |")


def _shown(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1000:.1f} ms"


if __name__ == "__main__":
    main(sys.argv[1:])

"""How time and memory grow with the number of versions: n, 2n and 4n, in many deployments and in one.

    python -m bench.scale [repeats] [--keep]

`--keep` writes what was measured to scale.json, the baselines of the next run.

Each measurement runs in a process of its own and counts processor time, git's included. `growth` is the time per version
at 4n over that at n: 1 is linear.
"""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from bench.declared_repository import Shape, deployment_name, move_alias, version_name, write_repository
from controller.engine.sources import Publication
from controller.loading.loader import load
from controller.model.desired import DesiredState
from controller.model.images import Image
from controller.model.observed import ObservedState
from controller.model.record import UnitRecord
from controller.model.source import Snapshot
from controller.plan.planner import plan
from controller.render.images import image_spec
from controller.render.renderer import render
from controller.source.local import WorkingDirectory
from tests.engine.counting import counted
from tests.engine.settling import PROFILE, Settling, settling

SERIES: Mapping[str, Sequence[Shape]] = {
    "20 versions in each of many deployments": (Shape(25, 20), Shape(50, 20), Shape(100, 20)),
    "many versions in one deployment": (Shape(1, 250), Shape(1, 500), Shape(1, 1000)),
}
BASELINES = Path(__file__).with_name("scale.json")
REPEATS = 3
T = TypeVar("T")
Figures = dict[str, float]


def measure(shape: Shape) -> Figures:
    """Every figure of one shape: seconds of processor time, `memory` in MiB, and counts."""
    figures: Figures = {}
    with TemporaryDirectory() as directory:
        _read_and_plan(Path(directory), shape, figures)
    with TemporaryDirectory() as directory, settling(Path(directory), shape) as settled:
        _apply(settled, shape, figures)
    return figures


def _read_and_plan(directory: Path, shape: Shape, figures: Figures) -> None:
    before = _peak()
    repository = write_repository(directory / "repository", shape)
    source = WorkingDirectory(repository, state=directory / "state", committed=True)
    try:
        snapshot = _timed(figures, "snapshot", source.snapshot)
        declared = _timed(figures, "load", partial(load, snapshot))
        publication = Publication(source, snapshot, declared)
        desired = _timed(figures, "render", partial(_rendered, publication))
        _timed(figures, "plan", partial(_planned, desired))
        figures["memory"] = _peak() - before
        figures["next commit"] = _next_commit(repository, source, shape)
    finally:
        source.close()


def _rendered(publication: Publication) -> list[DesiredState]:
    declared = publication.declared
    specs = [
        image_spec(declared, served.version, endpoint, PROFILE)
        for deployment in declared.deployments.values()
        for served in deployment.versions.values()
        for endpoint in served.version.endpoints
    ]
    images = {spec.key: Image(spec.key, f"{spec.repository}@sha256:{spec.key}", f"sha256:{spec.key}") for spec in specs}
    return [render(declared, name, PROFILE, images, snapshot=publication.snapshot) for name in declared.deployments]


def _planned(desired: Sequence[DesiredState]) -> None:
    for state in desired:
        plan(state, ObservedState(), UnitRecord(state.unit), 0.0)


def _next_commit(repository: Path, source: WorkingDirectory, shape: Shape) -> float:
    name = deployment_name(0)

    def again() -> Snapshot:
        source.token()
        return source.snapshot()

    move_alias(repository, name, version_name(name, shape.each - 2))
    figures: Figures = {}
    load(_timed(figures, "read", again))
    return figures["read"]


def _apply(settled: Settling, shape: Shape, figures: Figures) -> None:
    _timed(figures, "first apply", settled.settle)
    for unit in settled.units:
        settled.run(unit)
    settled.store.forget()
    with counted() as counts:
        _timed(figures, "no change", lambda: [settled.run(unit) for unit in settled.units])
    figures["no change: programs"] = counts["programs"]
    figures["no change: fsyncs"] = counts["fsyncs"]
    figures["no change: requests"] = settled.store.lists + len(settled.store.written)
    name = deployment_name(0)
    move_alias(settled.repository, name, version_name(name, shape.each - 2))
    _timed(figures, "one alias moved", lambda: (settled.read(), settled.settle()))
    figures["one alias moved: writes"] = len(settled.store.written)


def _timed(figures: Figures, name: str, work: Callable[[], T]) -> T:
    start = _processor_seconds()
    answer = work()
    figures[name] = _processor_seconds() - start
    return answer


def _processor_seconds() -> float:
    """Of this process and of the programs that it started and that have ended: what else the machine does counts less."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def _peak() -> float:
    """The most memory that this process had so far, in MiB (Linux counts it in KiB, macOS in bytes)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)


def medians(shape: Shape, repeats: int) -> Figures:
    """Of several runs, each in a fresh process."""
    runs = [_run_alone(shape) for _ in range(repeats)]
    return {name: statistics.median(run[name] for run in runs) for name in runs[0]}


def _run_alone(shape: Shape) -> Figures:
    command = [sys.executable, "-m", "bench.scale", "--alone", str(shape.deployments), str(shape.each)]
    found: Figures = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return found


def show(title: str, shapes: Sequence[Shape], found: Sequence[Figures], baseline: Mapping[str, float]) -> None:
    """One line per figure: its value at each size, how it grows, and the baseline of the largest size."""
    print(
        f"\n{title}\n{'versions':26}" + "".join(f"{shape.versions:>10,}" for shape in shapes) + f"{'growth':>9}{'baseline':>10}"
    )
    for name in found[0]:
        values = [figures[name] for figures in found]
        text = f"{name:26}" + "".join(f"{_text(name, value):>10}" for value in values)
        print(f"{text}{_growth(name, shapes, values):>9}{_text(name, baseline[name]) if name in baseline else '-':>10}")


def _growth(name: str, shapes: Sequence[Shape], values: Sequence[float]) -> str:
    """Of fixed costs, counts and memory (which has a fixed part) it would say nothing."""
    if ":" in name or name == "memory" or not values[0]:
        return ""
    return f"{values[-1] / shapes[-1].versions / (values[0] / shapes[0].versions):.2f}"


def _text(name: str, value: float) -> str:
    if ":" in name:
        return f"{value:.0f}"
    return f"{value:.0f} MiB" if name == "memory" else f"{value * 1000:,.0f} ms"


def main(repeats: int, *, keep: bool) -> None:
    baselines = json.loads(BASELINES.read_text()) if BASELINES.exists() else {}
    for title, shapes in SERIES.items():
        found = [medians(shape, repeats) for shape in shapes]
        show(title, shapes, found, baselines.get(title, {}))
        baselines[title] = found[-1]
    if keep:
        BASELINES.write_text(json.dumps(baselines, indent=2) + "\n")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--alone"]:
        print(json.dumps(measure(Shape(int(sys.argv[2]), int(sys.argv[3])))))
    else:
        numbers = [int(text) for text in sys.argv[1:] if text.isdigit()]
        main(numbers[0] if numbers else REPEATS, keep="--keep" in sys.argv)

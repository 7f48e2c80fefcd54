"""1,000 units of four objects on a real API server: Pointsman beside a bare client that makes the same applies.

    python -m bench.kubernetes [units] [connections ...] [--rounds N] [--workers N]

Needs the test cluster, or the one that POINTSMAN_TEST_KUBECONFIG names (then requests are not counted: that takes the API
server's audit log). Each unit is a Deployment without replicas, a ServiceAccount, a Service and a route. The gateway's
replicas rest while something is measured. In each round all sides take their turns, and medians are shown: where other work
disturbs the machine, many rounds of few units tell more than one of many. Every side runs in a process of its own under a
ServiceAccount's token, with the roles that are shipped.
"""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
import tempfile
import time
from argparse import ArgumentParser
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

from bench.idle_repository import IdleRepository
from controller.cluster.client import KubernetesClient
from controller.cluster.connection import connect
from controller.model.identity import UnitKey
from controller.model.objects import at
from tests.cluster.components import GATEWAYS
from tests.cluster.fixtures import Testbed, found_cluster
from tests.cluster.installation import Installation, installed, remove_namespace

UNITS = 1000
CONNECTIONS = (1, 8, 20)
WORKERS = 8
"""As many as `concurrency` in a configuration that does not say."""
WARM_UP = 20
"""Units before anything is measured: the first writes of a new API server are slow."""
PATIENCE = 600.0
Figures = dict[str, float]


@dataclass(frozen=True)
class Bench:
    """The cluster, who works on it, and a folder for this run."""

    testbed: Testbed
    installation: Installation
    client: KubernetesClient
    directory: Path
    units: int

    def requests(self) -> int:
        """How many the measured account has sent so far, watches left out."""
        if self.testbed.local is None:
            return 0
        with self.testbed.local.layout.audit.open() as lines:
            return sum(f":{self.installation.namespace}:" in line and '"verb":"watch"' not in line for line in lines)

    def settle(self, namespace: str, *, gone: bool = False) -> None:
        """Wait until Kubernetes has done its own part: the next measurement is not to pay for this one."""
        self._until(lambda: self._is_calm(namespace, gone=gone), f"{namespace} to come to rest")
        time.sleep(2.0)

    def serve(self, namespace: str) -> None:
        """Let the gateway take in the routes of a namespace, then have it rest again."""
        if local := self.testbed.local:
            local.resume(GATEWAYS[0])
            self._until(lambda: self._are_accepted(namespace), f"the routes of {namespace} to be accepted")
            local.halt(GATEWAYS[0])

    def _is_calm(self, namespace: str, *, gone: bool) -> bool:
        found = self.client.list("Deployment", namespace=namespace).items
        behind = (d for d in found if at(d, "status", "observedGeneration", default=0) < d["metadata"]["generation"])
        return not found if gone else len(found) == self.units and not any(behind)

    def _are_accepted(self, namespace: str) -> bool:
        routes = self.client.list("HTTPRoute", namespace=namespace).items
        return all(at(route, "status", "parents") for route in routes)

    def _until(self, look: Any, what: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while not look():
            if time.monotonic() > deadline:
                raise TimeoutError(f"waited for {what}")
            time.sleep(1.0)


class Process:
    """A side that is measured: told what to do next by a line of JSON, it answers with its figures."""

    def __init__(self, module: str, settings: Mapping[str, Any]) -> None:
        self._name = module
        command = [sys.executable, "-m", module, json.dumps(settings)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def do(self, bench: Bench, **what: Any) -> Figures:
        assert self._process.stdin
        assert self._process.stdout
        before = bench.requests()
        self._process.stdin.write(json.dumps(what) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the measured process has ended")
        time.sleep(1.0)  # what was asked last is written down a moment later
        figures: Figures = {**json.loads(line), "requests": (bench.requests() - before) / bench.units}
        print(f"{self._name}: {what}: {figures}", file=sys.stderr, flush=True)
        return figures

    def close(self) -> None:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()


def measure_controller(bench: Bench, workers: int) -> dict[str, Figures]:
    """Create, no change, update of one field, delete: each from the commit until the last unit has nothing left to do."""
    with _project(bench, "controller") as (repository, namespace):
        project = (repository.owner, repository.project)
        process = Process("bench.kubernetes_controller", _settings(bench, repository, workers=workers, project=project))
        try:
            found = {"create": process.do(bench, commit=repository.head(), until="settled")}
            bench.settle(namespace)
            bench.serve(namespace)
            found["no change"] = process.do(bench, commit=repository.head(), until="passed over")
            repository.change_nothing()
            found["commit elsewhere"] = process.do(bench, commit=repository.head(), until="settled")
            repository.change_timeout("30s")
            found["update"] = process.do(bench, commit=repository.head(), until="settled")
            bench.settle(namespace)
            repository.remove_all()
            found["delete"] = process.do(bench, commit=repository.head(), until="gone")
            bench.settle(namespace, gone=True)
        finally:
            process.close()
    return found


def measure_bare(bench: Bench, connections: int) -> dict[str, Figures]:
    """The same applies by a client that knows nothing: what it is told, one after the other on each connection."""
    with _project(bench, f"bare-{connections}") as (repository, namespace):
        process = Process("bench.kubernetes_bare", _settings(bench, repository, connections=connections))
        try:
            found = {"create": process.do(bench, send="created")}
            bench.settle(namespace)
            found["no change"] = process.do(bench, send="created")
            repository.change_timeout("30s")
            found["update"] = process.do(bench, send="updated")
            bench.settle(namespace)
            found["delete"] = process.do(bench, send="deleted")
            bench.settle(namespace, gone=True)
        finally:
            process.close()
    return found


@contextmanager
def _project(bench: Bench, name: str) -> Iterator[tuple[IdleRepository, str]]:
    """A repository and its namespace, which nobody else has; on the cluster, nothing of it remains."""
    unique = f"{name}-{secrets.token_hex(3)}"
    repository = IdleRepository.create(bench.directory / unique, unique, bench.units)
    namespace = UnitKey(repository.owner, repository.project, "any").namespace
    try:
        yield repository, namespace
    finally:
        remove_namespace(bench.testbed.kubeconfig, namespace)


def _settings(bench: Bench, repository: IdleRepository, **more: Any) -> dict[str, Any]:
    paths = {"repository": str(repository.path), "kubeconfig": str(bench.installation.kubeconfig)}
    return {**paths, "state": f"{repository.path}-state", "units": bench.units, **more}


def show(title: str, found: Mapping[str, Mapping[str, Figures]]) -> None:
    print(f"\n{title}")
    print(f"{'':18}{'':18}{'seconds':>9}{'of bare':>9}{'own CPU':>9}{'requests/unit':>15}{'peak MiB':>10}")
    for step in found["pointsman"]:
        others = [figures[step]["seconds"] for name, figures in found.items() if name != "pointsman" and step in figures]
        best = min(others, default=0.0)
        for name, figures in found.items():
            if step not in figures:
                continue
            one = figures[step]
            print(
                f"{step:18}{name:18}{one['seconds']:9.1f}{best / one['seconds']:9.0%}{one['cpu']:9.2f}"
                f"{one['requests']:15.2f}{one['memory']:10.0f}"
            )


def medians(rounds: Sequence[Mapping[str, Figures]]) -> dict[str, Figures]:
    """Of each step's figures over all rounds."""
    first, *_ = rounds
    return {step: {what: median(found[step][what] for found in rounds) for what in first[step]} for step in first}


def main(units: int, connections: Sequence[int] = CONNECTIONS, rounds: int = 1, workers: int = WORKERS) -> None:
    with ExitStack() as opened:
        testbed = opened.enter_context(found_cluster())
        directory = Path(opened.enter_context(tempfile.TemporaryDirectory()))
        installation = opened.enter_context(installed(testbed.kubeconfig, f"bench-{secrets.token_hex(3)}", directory))
        client = opened.enter_context(KubernetesClient(connect(kubeconfig=testbed.kubeconfig)))
        for gateway in GATEWAYS if testbed.local else ():
            opened.enter_context(testbed.local.without(gateway))
        bench = Bench(testbed, installation, client, directory, units)
        measure_bare(replace(bench, units=WARM_UP), WORKERS)
        found = defaultdict[str, list[dict[str, Figures]]](list)
        for _ in range(rounds):
            found["pointsman"].append(measure_controller(bench, workers))
            for number in connections:
                found[f"bare, {number} conn."].append(measure_bare(bench, number))
        shown = {name: medians(measured) for name, measured in found.items()}
        show(f"{units:,} units of 4 objects, medians of {rounds} rounds", shown)


if __name__ == "__main__":
    parser = ArgumentParser()
    parser.add_argument("units", type=int, nargs="?", default=UNITS)
    parser.add_argument("connections", type=int, nargs="*", default=CONNECTIONS)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--workers", type=int, default=WORKERS)
    main(**vars(parser.parse_args()))

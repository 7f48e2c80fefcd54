"""An endpoint grows under load and shrinks after it, by the HPA that Pointsman wrote and without a failed request."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from http.client import HTTPConnection, HTTPException
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from controller.cli.scratch import sample_directory
from controller.model import labels
from controller.model.objects import at
from tests.cluster.fixtures import Testbed
from tests.cluster.stage import Stage, eventually, staged
from tests.cluster.test_release import sample_repository
from tests.cluster.timeline import Timeline
from tests.system.load import Load
from tests.system.repository import Repository

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]
VERSION, ENDPOINT = "20181002.0", "predict-digit"
MOST = 3
SETTINGS: dict[str, Any] = {
    "endpoints": {ENDPOINT: {"scale": {"min": 1, "max": MOST, "cpu": 70}, "resources": {"cpu": {"min": 0.1}}}},
    "idle": {"replicas": 0},
}
HEAVY, LIGHT = 0.0, 4.0
"""Seconds between two requests of one client: more than a pod's CPU request can answer, and next to nothing."""


class Pictures(Load):
    """Sends the picture of a seven."""

    _picture = (sample_directory() / "digits" / "7.png").read_bytes()

    def _ask(self, connection: HTTPConnection, path: str) -> str | None:
        try:
            connection.request("POST", path, self._picture, {"Content-Type": "image/png"})
            answer = connection.getresponse()
            body = answer.read()
        except (OSError, HTTPException) as error:
            return repr(error)
        return None if answer.status == 200 and b'"digit": 7' in body else f"{answer.status} {body[:300]!r}"


def americas(directory: Path, project: str) -> Repository:
    """The sample with one deployment and one alias, scaled by load."""
    repository = sample_repository(directory, project)
    repository.git("rm", "--quiet", "-r", "pointsman/deployments/europe", "pointsman/deployments/americas/aliases/staging.yaml")
    repository.configure("americas", **SETTINGS)
    return repository


@pytest.fixture
def stage(testbed: Testbed, tmp_path: Path) -> Iterator[Stage]:
    with staged(testbed, tmp_path, owner="ruksi", deployment="americas", make=americas) as found:
        yield found


def test_load_brings_pods_and_its_end_takes_them_away(stage: Stage) -> None:
    with stage.controller():
        eventually(lambda: is_served(stage), lambda: f"{stage.conditions()}\n{stage.log()}")
        with Timeline(stage.client, stage.namespace, ("Deployment",)) as seen:
            with load(stage, HEAVY) as heavy:
                eventually(lambda: ready(stage) == MOST, lambda: sizes(stage))
                stage.until_applied(stage.repository.configure("americas", **SETTINGS, rollout={"keepWarm": "1h"}))
                stage.until_applied(stage.repository.configure("americas", **with_timeout("30s")))
                assert stage.workload(VERSION, ENDPOINT)["spec"]["replicas"] == MOST, "a commit leaves the number alone"
            with load(stage, LIGHT) as light:
                eventually(lambda: stage.workload(VERSION, ENDPOINT)["spec"]["replicas"] == 1, lambda: sizes(stage))
                eventually(lambda: len(running(stage)) == 1, lambda: sizes(stage))
    assert heavy.faults + light.faults == []
    counts = replicas_over_time(seen, stage)
    peak = counts.index(max(counts))
    assert counts == sorted(counts[: peak + 1]) + sorted(counts[peak + 1 :], reverse=True), "nobody put a number back"
    assert labels.FIELD_MANAGER not in writers_of_replicas(stage)


def is_served(stage: Stage) -> bool:
    """Whether every gateway replica knows the route."""
    return all(stage.get("production", ENDPOINT, gateway=n).status_code == 200 for n in range(len(stage.gateways)))


def load(stage: Stage, pause: float) -> Pictures:
    return Pictures(stage.urls("production", ENDPOINT), lambda headers, said: None, fresh=2, pause=pause)


def with_timeout(timeout: str) -> Mapping[str, Any]:
    """Something that changes a route."""
    endpoint = {**SETTINGS["endpoints"][ENDPOINT], "timeout": timeout}
    return {**SETTINGS, "endpoints": {ENDPOINT: endpoint}}


def ready(stage: Stage) -> int:
    return int(at(stage.workload(VERSION, ENDPOINT), "status", "readyReplicas", default=0))


def running(stage: Stage) -> list[str]:
    """The endpoint's pods, those that are ending included."""
    name = stage.workload(VERSION, ENDPOINT)["metadata"]["name"]
    return [pod["metadata"]["name"] for pod in stage.pods().values() if pod["metadata"]["name"].startswith(f"{name}-")]


def sizes(stage: Stage) -> str:
    scalers = stage.objects("HorizontalPodAutoscaler").values()
    return f"{ready(stage)} ready; {[scaler.get('status') for scaler in scalers]}; {stage.conditions()}"


def replicas_over_time(seen: Timeline, stage: Stage) -> list[int]:
    """Each number that the Deployment was given, in order, without repetitions."""
    name = stage.workload(VERSION, ENDPOINT)["metadata"]["name"]
    states = (obj for obj in seen.states("Deployment") if obj["metadata"]["name"] == name)
    return [count for count, _ in groupby(int(obj["spec"]["replicas"]) for obj in states)]


def writers_of_replicas(stage: Stage) -> set[str]:
    """Who says that the number is theirs; an HPA's writes by way of `scale` leave no entry."""
    entries = at(stage.workload(VERSION, ENDPOINT), "metadata", "managedFields", default=())
    return {e["manager"] for e in entries if at(e, "fieldsV1", "f:spec", "f:replicas") is not None}

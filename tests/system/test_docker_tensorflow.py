"""The endpoints of Valohai's tensorflow-example as containers, each on the base that its valohai.yaml names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from controller.cli.runtime.choice import choose
from controller.cli.scratch import sample_directory
from tests.cluster import tensorflow
from tests.docker_engine.bases import load
from tests.docker_engine.engine import Engine
from tests.embedded.containers.cluster import remove_all
from tests.system.repository import path
from tests.system.stage import Stage, staged

pytestmark = pytest.mark.system


@pytest.fixture
def stage(container_engine: Engine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Stage]:
    tensorflow.make_all()
    load(container_engine, tensorflow.python39(), "python:3.9")
    load(container_engine, tensorflow.tensorflow(), "tensorflow/tensorflow:2.6.0")
    for name, value in container_engine.environment.items():
        monkeypatch.setenv(name, value)
    try:
        repository = tensorflow.example(tmp_path / "example", "echo")
        with staged(repository, tmp_path / "state", choose("docker", container_engine.environment)) as found:
            found.until_applied(repository.git("rev-parse", "HEAD"))
            yield found
    finally:
        remove_all(container_engine)


def test_each_endpoint_answers_on_its_own_base(stage: Stage) -> None:
    assert stage.get(path("production", endpoint="greet")).text.startswith("Hello world!")
    for digit in (2, 7):
        picture = (sample_directory() / "digits" / f"{digit}.png").read_bytes()
        url = stage.serving.url + path("production", endpoint="predict-digit")
        answer = httpx2.post(url, files={"file": picture}, timeout=60.0, trust_env=False).json()
        assert (answer["best_guess"], answer["tensorflow"]) == (str(digit), "2.6.0")

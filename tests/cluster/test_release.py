"""The sample repository, released to Kubernetes as it is: both endpoints answer through the gateway under every URL."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest

from controller.cli.scratch import sample_directory
from controller.cli.scratch_history import HISTORY
from tests.cluster.fixtures import Testbed
from tests.cluster.stage import Stage, eventually, staged
from tests.system.repository import Repository

pytestmark = pytest.mark.cluster
ALIASES = {"production": "20181002.0", "staging": "20181003.0"}
NAMES = {**ALIASES, **{version: version for version in ALIASES.values()}}
URLS = [*product(("americas", "europe"), NAMES)]
REQUESTS = 50


def sample_repository(directory: Path, project: str) -> Repository:
    """The sample with its history; only the project's name is one that nobody else has."""
    repository = Repository(directory)
    directory.mkdir()
    repository.git("init", "--quiet", "--initial-branch=main")
    for step in HISTORY:
        for path in step.files(sample_directory()):
            target = directory / path
            target.parent.mkdir(parents=True, exist_ok=True)
            data = (sample_directory() / path).read_bytes()
            target.write_bytes(step.edited(path, data) if path.parent.name == "aliases" else data)
        declared = directory / "pointsman" / "project.yaml"
        if declared.exists():
            declared.write_text(re.sub(r"(?m)^name: .*$", f"name: {project}", declared.read_text()))
        repository.commit({}, step.message)
    return repository


@pytest.fixture(scope="module")
def stage(testbed: Testbed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """The sample in the Americas and in Europe, served."""
    directory = tmp_path_factory.mktemp("sample")
    with staged(testbed, directory, owner="ruksi", deployment="americas", make=sample_repository) as found, found.controller():
        for here, alias in product((found, found.of("europe")), ALIASES):
            eventually(lambda s=here, a=alias: _version(s, a) == ALIASES[a], lambda s=here: f"{s.conditions()}\n{s.log()}")
        yield found


@pytest.mark.parametrize(("deployment", "name"), URLS)
def test_greet_me_answers_every_request_in_a_row(deployment: str, name: str, stage: Stage) -> None:
    """Its server ends after every answer: what stands before it hides that."""
    here = stage.of(deployment)
    for _ in range(REQUESTS):
        answer = here.get(name, "greet-me")
        assert answer.status_code == 200
        assert answer.text.startswith("Hello world!")
    assert f"HTTP_X_VH_PREFIX = '{here.path(name, 'greet-me')}'" in answer.text
    assert f"PATH_INFO = '{here.path(name, 'greet-me')}'" in answer.text


@pytest.mark.parametrize(("deployment", "name"), URLS)
def test_predict_digit_reads_a_picture_under_every_url(deployment: str, name: str, stage: Stage) -> None:
    here = stage.of(deployment)
    picture = (sample_directory() / "digits" / "7.png").read_bytes()
    answer = here.ask("POST", name, "predict-digit", files={"image": picture})
    assert answer.json()["digit"] == 7
    assert answer.headers["X-Pointsman-Version"] == NAMES[name]
    assert answer.headers["X-Pointsman-Workload"].startswith("predict-digit-")
    assert answer.headers["X-Pointsman-Revision"].endswith(here.repository.git("rev-parse", "HEAD"))


def _version(stage: Stage, name: str) -> str | None:
    """The version that both endpoints answer with under a name, or None."""
    answers = [stage.get(name, endpoint) for endpoint in ("greet-me", "predict-digit")]
    versions = {answer.headers.get("X-Pointsman-Version") for answer in answers if answer.status_code == 200}
    return versions.pop() if len(versions) == 1 else None

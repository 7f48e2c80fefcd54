from __future__ import annotations

import shutil
import subprocess
from contextlib import closing
from pathlib import Path

import pytest
from sample_endpoint import SAMPLE

from controller.loading.loader import load
from controller.model.declared import DeclaredState
from controller.source.local import WorkingDirectory

pytestmark = pytest.mark.contract


@pytest.fixture
def state(tmp_path: Path) -> DeclaredState:
    """The sample in a repository of its own, as users meet it."""
    repository = tmp_path / "mnist"
    shutil.copytree(SAMPLE, repository, ignore=shutil.ignore_patterns("__pycache__"))
    git = [
        "git",
        "-C",
        str(repository),
        "-c",
        "user.name=Sample",
        "-c",
        "user.email=sample@example.com",
        "-c",
        "commit.gpgsign=false",
    ]
    for arguments in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-q", "-m", "Release the first two versions"]):
        subprocess.run([*git, *arguments], check=True, timeout=60)
    with closing(WorkingDirectory(repository, state=tmp_path / "state", committed=True)) as source:
        return load(source.snapshot())


def test_the_sample_is_free_of_mistakes(state: DeclaredState) -> None:
    assert [str(diagnostic) for diagnostic in state.diagnostics] == []
    assert state.held == {}


def test_two_regions_serve_two_versions_by_two_aliases(state: DeclaredState) -> None:
    assert (state.owner, state.project) == ("ruksi", "mnist")
    assert set(state.deployments) == {"americas", "europe"}
    for deployment in state.deployments.values():
        assert {name: alias.version for name, alias in deployment.aliases.items()} == {
            "staging": "20181003.0",
            "production": "20181002.0",
        }
        assert set(deployment.versions) == {"20181002.0", "20181003.0"}


def test_the_versions_share_their_code_and_differ_in_model_and_label(state: DeclaredState) -> None:
    old, new = (state.versions[name] for name in ("20181002.0", "20181003.0"))
    assert old.code == new.code
    models = [version.endpoints["predict-digit"].files["model"] for version in (old, new)]
    assert [model.path for model in models] == ["models/mnist-20181002.npz", "models/mnist.npz"]
    assert models[0].blob != models[1].blob
    served = state.deployments["europe"].versions
    assert [served[v.name].settings["predict-digit"].environment["MODEL_LABEL"] for v in (old, new)] == [
        "240 pictures",
        "1437 pictures",
    ]


def test_every_endpoint_has_a_golden_request_and_its_requirements(state: DeclaredState) -> None:
    for version in state.versions.values():
        assert {name: [golden.name for golden in e.golden] for name, e in version.endpoints.items()} == {
            "greet-me": ["hello"],
            "predict-digit": ["seven"],
        }
        assert all("numpy==" in (endpoint.requirements or "") for endpoint in version.endpoints.values())

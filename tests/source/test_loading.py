"""What the sources say is what the loader reads: no mistake appears between the two."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.loading.loader import load
from controller.source.adhoc import AdHoc
from controller.source.local import WorkingDirectory
from tests.source.conftest import VALOHAI, Repo

pytestmark = pytest.mark.contract


def test_a_committed_project(repo: Repo, source: WorkingDirectory) -> None:
    repo.version("1")
    repo.alias("1")
    state = load(source.snapshot())
    assert state.diagnostics == ()
    served = state.deployments["eu"].versions["1"]
    assert served.version.endpoints["greet"].requirements == "flask\n"
    assert [g.name for g in served.version.endpoints["greet"].golden] == ["hello"]
    assert state.deployments["eu"].aliases["production"].version == "1"


def test_an_uncommitted_version(repo: Repo, working: WorkingDirectory) -> None:
    repo.write("pointsman/versions/1.yaml", "{}\n")
    assert [d.code for d in load(working.snapshot()).diagnostics] == ["PM312"]
    assert set(load(working.snapshot(), uncommitted=True).versions) == {"1"}


def test_an_edited_version_keeps_its_first_text(repo: Repo, source: WorkingDirectory) -> None:
    repo.version("1", "environment: {A: first}\n")
    repo.version("1", "environment: {A: second}\n")
    state = load(source.snapshot())
    assert [d.code for d in state.diagnostics] == ["PM311"]
    assert state.deployments["eu"].versions["1"].settings["greet"].environment == {"A": "first"}


def test_a_lost_commit_holds_only_its_version(repo: Repo, source: WorkingDirectory) -> None:
    repo.version("1", f"commit: {'f' * 40}\n")
    repo.version("2")
    state = load(source.snapshot())
    assert [d.code for d in state.diagnostics] == ["PM504"]
    assert set(state.deployments["eu"].versions) == {"2"}


def test_a_directory_without_declaration(tmp_path: Path) -> None:
    root = Repo(tmp_path / "My Model")
    root.write("valohai.yaml", VALOHAI + "    files:\n      - {name: model, description: weights, path: m.bin}\n")
    weights = root.write("weights.bin", "x")
    adhoc = AdHoc(root.path, state=tmp_path / "state", files={("greet", "model"): weights})
    state = load(adhoc.snapshot(), uncommitted=True)
    adhoc.close()
    assert state.diagnostics == ()
    assert (state.owner, state.project) == ("local", "my-model")
    deployment = state.deployments["local"]
    assert deployment.aliases["latest"].version == "work"
    assert deployment.rollout.keep_warm == 0
    content = deployment.versions["work"].version.endpoints["greet"].files["model"]
    assert (content.url, content.path) == (weights.as_uri(), None)
